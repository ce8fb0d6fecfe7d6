//! The one way to change the HSM: a plan becomes a batch of sealed records, together with its audit records and
//! the new head.
//!
//! The head is one record that every commit renews: the integrity sum over all (kind, id, version), the end of the
//! audit chain and the number of token keys. So what a commit changes, what the log says of it and the proof that
//! nothing was cut out stand or fall together.

use base::codec::{Reader, Writer};
use base::error::{Error, Result};
use base::secret::Secret;
use platform::process;
use store::{Batch, Change, Durability, Kind, Record, Selection, Tag, Turn, View};

use super::anchor::Step;
use super::audit::{Event, FORM};
use super::hierarchy::{DataKeys, PublicKeys, Tier};
use super::{Hsm, Login};

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
    /// The boot of the machine under which the log was last written, as far as it could be told, and how many others came before it.
    boot: Option<[u8; 16]>,
    reboots: u32,
    /// The sum over the content of every record that counts, which an anchor keeps; nothing in a head from before there were anchors.
    pub(super) state: Option<[u8; 32]>,
}

/// How a boot that could not be told stands in the record. No boot of a machine has this number.
const UNKNOWN_BOOT: [u8; 16] = [0; 16];

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
            boot: None,
            reboots: 0,
            state: None,
        };
        // A head from before the log counted boots ends here, one from before there were anchors after them.
        if reader.has_more() {
            let boot = reader.array()?;
            (head.boot, head.reboots) = ((boot != UNKNOWN_BOOT).then_some(boot), reader.number()?);
        }
        if reader.has_more() {
            head.state = Some(reader.array()?);
        }
        reader.end()?;
        Ok(head)
    }

    /// Counts the machine's boots for the log, as AWS counts those of the HSM's hardware. Where the boot cannot be told (`/proc` is not
    /// to be read) it is not taken for another one: the last that was known stays.
    fn note_boot(&mut self, boot: Option<[u8; 16]>) {
        let Some(boot) = boot else { return };
        if let Some(known) = self.boot.replace(boot)
            && known != boot
        {
            self.reboots = self.reboots.saturating_add(1);
        }
    }

    pub(in crate::module) fn encode(&self) -> Secret {
        let mut writer = Writer::new(140);
        writer.raw(&self.sum).long(self.audit_sequence).raw(&self.audit_mac).long(self.keys).long(self.asymmetric);
        writer.raw(&self.boot.unwrap_or(UNKNOWN_BOOT)).number(self.reboots);
        if let Some(state) = &self.state {
            writer.raw(state);
        }
        writer.finish_secret()
    }

    /// Adds a record to the sum, or takes it away.
    fn weigh(&mut self, public: &PublicKeys, kind: Kind, id: u64, version: u64, add: bool) {
        if version > 0 && weighs(kind, id) {
            add_to(&mut self.sum, &public.weigh(kind, id, version), add);
        }
    }

    /// The same for the content.
    fn weigh_content(&mut self, public: &PublicKeys, record: &Record, add: bool) {
        if let Some(state) = self.state.as_mut().filter(|_| weighs(record.kind, record.id)) {
            add_to(state, &public.weigh_content(record), add);
        }
    }

    /// Takes the content of a record as it is stored away.
    fn take_away(&mut self, before: Option<&dyn View>, public: &PublicKeys, kind: Kind, id: u64) -> Result<()> {
        let Some(view) = before.filter(|_| weighs(kind, id)) else { return Ok(()) };
        if let Some(old) = view.read(kind, id)? {
            self.weigh_content(public, &old, false);
        }
        Ok(())
    }

    /// The sum over the content of every record of the store.
    pub(super) fn recompute_state(view: &dyn View, public: &PublicKeys) -> Result<[u8; 32]> {
        const PAGE: usize = 256;
        let mut state = [0; 32];
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Audit) {
            let mut selection = Selection { limit: PAGE, ..Selection::all(kind) };
            loop {
                let page = view.scan(&selection)?;
                for record in &page {
                    selection.after = record.id;
                    if weighs(kind, record.id) {
                        add_to(&mut state, &public.weigh_content(record), true);
                    }
                }
                if page.len() < PAGE {
                    break;
                }
            }
        }
        Ok(state)
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

/// Adds `weight` to a sum, or takes it away: numbers of 256 bits, modulo 2^256.
fn add_to(sum: &mut [u8; 32], weight: &[u8; 32], add: bool) {
    let mut carry = u16::from(!add);
    for (digit, other) in sum.iter_mut().zip(weight) {
        let other = if add { *other } else { !*other };
        let total = u16::from(*digit) + u16::from(other) + carry;
        let [low, high] = total.to_le_bytes();
        *digit = low;
        carry = u16::from(high);
    }
}

/// Turns a plan into the batch that the store commits. `before` is the store that it is committed onto; a new one has nothing before.
pub(super) fn batch(
    before: Option<&dyn View>,
    head: &mut Head,
    public: &PublicKeys,
    data: Option<&DataKeys>,
    plan: Plan,
) -> Result<Batch> {
    if head.state.is_none() {
        head.state = Some(match before {
            Some(view) => Head::recompute_state(view, public)?,
            None => [0; 32],
        });
    }
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
                if expected > 0 {
                    head.take_away(before, public, kind, id)?;
                }
                head.weigh_content(public, &record, true);
                changes.push(Change::Put { record, expected, tags });
            }
            Planned::Delete { kind, id, expected } => {
                head.weigh(public, kind, id, expected, false);
                head.take_away(before, public, kind, id)?;
                changes.push(Change::Delete { kind, id, expected });
            }
        }
    }
    if !plan.events.is_empty() {
        // Asked each time: what is made once is made inside C_Initialize, or a forked child waits for it for ever.
        head.note_boot(process::boot_id());
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
        // What is not waited for may be lost with the machine's power, and an anchor must not be ahead of what is left.
        let anchor = if durability == Durability::Synced { self.open_anchor()? } else { None };
        let mut step = None;
        let generation = self.store.write(durability, &mut |view| {
            if let Some(login) = login {
                // What was begun under a login may end after it: seconds pass while an RSA key is made.
                self.check_login_in(view, login)?;
            }
            let (batch, next, adds) = self.prepare(view, data, plan)?;
            (step, only_adds) = (next, adds);
            Ok(batch)
        })?;
        if let Some(step) = step {
            self.anchor(anchor, step);
        }
        // A commit that only adds makes nothing cached untrue. Any other is noticed like that of another process: this
        // one may hold a second copy of what was changed.
        if only_adds && generation == before + 1 {
            self.note_own_commit(before, generation);
        }
        Ok(())
    }

    /// Commits what `plan` plans as one of several commits of a turn. For what nobody caches: users' counts, and events.
    pub(super) fn commit_in(
        &self,
        turn: &dyn Turn,
        durability: Durability,
        plan: &mut dyn FnMut(&dyn View, &Head) -> Result<Plan>,
    ) -> Result<()> {
        let anchor = if durability == Durability::Synced { self.open_anchor()? } else { None };
        let mut step = None;
        turn.write(durability, &mut |view| {
            let (batch, next, _) = self.prepare(view, None, plan)?;
            step = next;
            Ok(batch)
        })?;
        if let Some(step) = step {
            self.anchor(anchor, step);
        }
        Ok(())
    }

    /// The batch of a plan on the newest state, what is to be anchored once it is committed, and whether it only adds.
    fn prepare(
        &self,
        view: &dyn View,
        data: Option<&DataKeys>,
        plan: &mut dyn FnMut(&dyn View, &Head) -> Result<Plan>,
    ) -> Result<(Batch, Option<Step>, bool)> {
        let mut head = Head::read(view, &self.public)?;
        let was = head.state;
        let plan = plan(view, &head)?;
        let only_adds = plan.changes.iter().all(|change| matches!(change, Planned::Put { expected: 0, .. }));
        if plan.changes.is_empty() && plan.events.is_empty() {
            // The generation is that of somebody else's commit.
            return Ok((Batch { changes: Vec::new() }, None, false));
        }
        let batch = batch(Some(view), &mut head, &self.public, data, plan)?;
        let step = head.state.map(|state| Step {
            commit: head.version + 1,
            records: head.audit_sequence,
            log: head.audit_mac,
            was: was.unwrap_or(state),
            state,
        });
        Ok((batch, step, only_adds))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::module::testing::{ANN, key, open, sample};
    use crate::module::{Role, Sharing};

    /// A boot that cannot be told is not another one (docs/audit.md, "Reboot counter").
    #[test]
    fn boots_that_can_be_told_are_counted() {
        let mut head = Head::default();
        let mut after = |boot: Option<u8>| {
            head.note_boot(boot.map(|id| [id; 16]));
            let encoded = head.encode();
            assert_eq!(
                encoded.expose().get(88..104).unwrap(),
                head.boot.unwrap_or_default(),
                "it is recorded as it is known"
            );
            head.reboots
        };
        assert_eq!([None, None, Some(7), Some(7)].map(&mut after), [0; 4], "the first that is known came after none");
        assert_eq!([None, Some(7), None].map(&mut after), [0; 3], "/proc could not be read for a while");
        assert_eq!([Some(8), None, Some(8), Some(9)].map(&mut after), [1, 1, 1, 2]);
    }

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
