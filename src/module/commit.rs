//! The one way to change the HSM: a plan becomes a batch of sealed records, together with its audit records and
//! the new head.
//!
//! The head is one record that every commit renews: the integrity sum over all (kind, id, version), the end of the
//! audit chain and the number of token keys. So what a commit changes, what the log says of it and the proof that
//! nothing was cut out stand or fall together.

use super::audit::{Event, FORM};
use super::hierarchy::{DataKeys, PublicKeys, Tier};
use super::{Hsm, Login};
use crate::codec::{Reader, Writer};
use crate::error::{Error, Result};
use crate::platform::process;
use crate::secret::Secret;
use crate::store::{Batch, Change, Durability, Kind, Record, Tag, View};

/// The ids of the meta records.
pub(super) mod meta {
    /// Store id in clear and the public-data key under `device.key`.
    pub(crate) const ROOT: u64 = 1;
    /// What was recorded when the HSM was created.
    pub(crate) const SETTINGS: u64 = 2;
    /// The head.
    pub(crate) const HEAD: u64 = 3;
    /// What officers have set for the whole HSM.
    pub(crate) const POLICY: u64 = 4;
}

/// Whether a record counts in the integrity sum. The audit log is a chain of its own, whose end is in the head; the head
/// cannot weigh itself; and the root is what `device.key` opens, or there is no HSM.
const fn weighs(kind: Kind, id: u64) -> bool {
    match kind {
        Kind::Audit => false,
        Kind::Meta => !matches!(id, meta::ROOT | meta::HEAD),
        Kind::User | Kind::Object | Kind::Share | Kind::Quorum => true,
    }
}

/// What a commit is to do.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) changes: Vec<Planned>,
    pub(super) events: Vec<Event>,
    /// How the numbers of token keys and of asymmetric ones change.
    pub(super) keys: i64,
    pub(super) asymmetric: i64,
}

/// One record of a plan.
pub(super) enum Planned {
    /// Written under the version after `expected` (0: it must not exist).
    Put {
        kind: Kind,
        id: u64,
        expected: u64,
        class: u64,
        key_type: u64,
        owner: u64,
        tier: Tier,
        plain: Secret,
        tags: Option<Vec<Tag>>,
    },
    Delete {
        kind: Kind,
        id: u64,
        expected: u64,
    },
}

/// The head record.
#[derive(Default)]
pub(super) struct Head {
    pub(super) version: u64,
    pub(super) sum: [u8; 32],
    pub(super) audit_sequence: u64,
    pub(super) audit_mac: [u8; 32],
    pub(super) keys: u64,
    pub(super) asymmetric: u64,
    /// The boot of the machine under which the log was last written, and how many others came before it.
    boot: [u8; 16],
    reboots: u32,
}

impl Head {
    pub(super) fn read(view: &dyn View, public: &PublicKeys) -> Result<Self> {
        let record = view
            .read(Kind::Meta, meta::HEAD)?
            .ok_or_else(|| Error::device("the HSM's head record is missing; run cloudhsm-cli doctor".to_owned()))?;
        let plain = public.open(&record)?;
        let mut reader = Reader::new(plain.expose());
        let mut head = Self {
            version: record.version,
            sum: reader.array()?,
            audit_sequence: reader.long()?,
            audit_mac: reader.array()?,
            keys: reader.long()?,
            asymmetric: reader.long()?,
            boot: [0; 16],
            reboots: 0,
        };
        // A head from before the log counted boots ends here.
        if reader.has_more() {
            (head.boot, head.reboots) = (reader.array()?, reader.number()?);
        }
        reader.end()?;
        Ok(head)
    }

    /// Counts the machine's boots for the log, as AWS counts those of the HSM's hardware.
    fn note_boot(&mut self) {
        // Asked each time: what is made once is made inside C_Initialize, or a forked child waits for it for ever.
        let boot = process::boot_id().unwrap_or_default();
        if self.boot != boot {
            // The first boot is none that came after another.
            self.reboots = self.reboots.saturating_add(u32::from(self.audit_sequence > 0));
            self.boot = boot;
        }
    }

    fn encode(&self) -> Secret {
        let mut writer = Writer::new(108);
        writer.raw(&self.sum).long(self.audit_sequence).raw(&self.audit_mac).long(self.keys).long(self.asymmetric);
        writer.raw(&self.boot).number(self.reboots);
        writer.finish_secret()
    }

    /// Adds a record to the sum, or takes it away.
    fn weigh(&mut self, public: &PublicKeys, kind: Kind, id: u64, version: u64, add: bool) {
        if version > 0 && weighs(kind, id) {
            self.add(&public.weigh(kind, id, version), add);
        }
    }

    /// Adds `weight` to the sum, or takes it away: numbers of 256 bits, modulo 2^256.
    fn add(&mut self, weight: &[u8; 32], add: bool) {
        let mut carry = u16::from(!add);
        for (digit, other) in self.sum.iter_mut().zip(weight) {
            let other = if add { *other } else { !*other };
            let total = u16::from(*digit) + u16::from(other) + carry;
            let [low, high] = total.to_le_bytes();
            *digit = low;
            carry = u16::from(high);
        }
    }

    /// The sum over every record of the store, for the comparison with the one in the head.
    pub(super) fn recompute(view: &dyn View, public: &PublicKeys) -> Result<[u8; 32]> {
        const PAGE: usize = 4096;
        let mut head = Self::default();
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Audit) {
            let mut after = 0;
            loop {
                let page = view.versions(kind, after, PAGE)?;
                for (id, version) in &page {
                    head.weigh(public, kind, *id, *version, true);
                    after = *id;
                }
                if page.len() < PAGE {
                    break;
                }
            }
        }
        Ok(head.sum)
    }
}

/// Turns a plan into the batch that the store commits.
pub(super) fn batch(mut head: Head, public: &PublicKeys, data: Option<&DataKeys>, plan: Plan) -> Result<Batch> {
    let mut changes = Vec::with_capacity(plan.changes.len() + plan.events.len() + 1);
    for planned in plan.changes {
        match planned {
            Planned::Put { kind, id, expected, class, key_type, owner, tier, plain, tags } => {
                let mut record = Record {
                    kind,
                    id,
                    version: expected + 1,
                    class,
                    key_type,
                    owner,
                    tier: tier as u8,
                    sealed: Vec::new(),
                };
                record.sealed = match (tier, data) {
                    (Tier::Public, _) => public.seal(&record, &plain)?,
                    (Tier::Data, Some(data)) => data.seal(&record, &plain)?,
                    (Tier::Data, None) => return Err(Error::internal("a private object without a login to seal it")),
                };
                head.weigh(public, kind, id, expected, false);
                head.weigh(public, kind, id, expected + 1, true);
                changes.push(Change::Put { record, expected, tags });
            }
            Planned::Delete { kind, id, expected } => {
                head.weigh(public, kind, id, expected, false);
                changes.push(Change::Delete { kind, id, expected });
            }
        }
    }
    if !plan.events.is_empty() {
        head.note_boot();
    }
    for event in plan.events {
        head.audit_sequence += 1;
        let plain = event.encode(&head.audit_mac, head.reboots);
        head.audit_mac = public.chain(&head.audit_mac, head.audit_sequence, plain.expose());
        let mut record = Record {
            kind: Kind::Audit,
            id: head.audit_sequence,
            version: 1,
            class: FORM,
            key_type: 0,
            owner: 0,
            tier: Tier::Public as u8,
            sealed: Vec::new(),
        };
        record.sealed = public.seal(&record, &plain)?;
        changes.push(Change::Put { record, expected: 0, tags: None });
    }
    head.keys = head.keys.saturating_add_signed(plan.keys);
    head.asymmetric = head.asymmetric.saturating_add_signed(plan.asymmetric);
    let mut record = Record {
        kind: Kind::Meta,
        id: meta::HEAD,
        version: head.version + 1,
        class: 0,
        key_type: 0,
        owner: 0,
        tier: Tier::Public as u8,
        sealed: Vec::new(),
    };
    record.sealed = public.seal(&record, &head.encode())?;
    changes.push(Change::Put { record, expected: head.version, tags: None });
    Ok(Batch { changes })
}

impl Hsm {
    /// Commits what `plan` plans on the newest state. `plan` may run more than once.
    pub(super) fn commit(
        &self,
        login: Option<&Login>,
        durability: Durability,
        plan: &mut dyn FnMut(&dyn View, &Head) -> Result<Plan>,
    ) -> Result<()> {
        let before = self.known.load(std::sync::atomic::Ordering::Acquire);
        let data = login.map(|login| &login.data);
        let mut only_adds = true;
        let generation = self.store.write(durability, &mut |view| {
            if let Some(login) = login {
                // What was begun under a login may end after it: seconds pass while an RSA key is made.
                self.check_login_in(view, login)?;
            }
            let head = Head::read(view, &self.public)?;
            let plan = plan(view, &head)?;
            only_adds = plan.changes.iter().all(|change| matches!(change, Planned::Put { expected: 0, .. }));
            if plan.changes.is_empty() && plan.events.is_empty() {
                // The generation is that of somebody else's commit.
                only_adds = false;
                return Ok(Batch { changes: Vec::new() });
            }
            batch(head, &self.public, data, plan)
        })?;
        // A commit that only adds makes nothing cached untrue. Any other is noticed like that of another process: this
        // one may hold a second copy of what was changed.
        if only_adds && generation == before + 1 {
            self.note_own_commit(before, generation);
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::module::testing::{ANN, key, open, sample};
    use crate::module::{Role, Sharing};

    #[test]
    fn a_plan_of_nothing_hides_no_change_of_others() {
        let (home, module) = sample();
        let hsm = module.active.lock().clone().unwrap();
        let epoch = hsm.epoch();
        let other = open(home.path());
        let ann = other.login(Role::CryptoUser, ANN).unwrap();
        key(&other, &ann, "theirs", &Sharing::default());
        hsm.commit(None, Durability::Lazy, &mut |_, _| Ok(Plan::default())).unwrap();
        assert_ne!(hsm.epoch(), epoch);
    }
}
