//! Tools of keys that need a quorum: what they cost is paid before anything is done, and once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use base::ck::{self, CK_MECHANISM_TYPE, vendor};
use base::error::{Error, Result};
use base::secret::Secret;
use crypto::digest::Hash;
use crypto::{key_file, rsa, rsa_material};
use store::Durability;

use super::commit::Plan;
use super::limits_tests::{ALICE, activated};
use super::user::User;
use super::{Actor, Approval, KeyQuorum, Login, Module, Role, Service, Sharing, Signature, SignedToken, Tool};
use crate::mechanism::{Parameter, Use};
use crate::object::{Object, Template};

const TOO_FEW: &str = "Too few quorum approvals: currently 1 approvals, but 2 approvals required";
const USED_UP: &str = "Invalid username-signature pair for quorum authorization";

/// A user's key for approvals.
struct Approver {
    name: &'static str,
    key: rsa::PrivateKey,
}

impl Approver {
    /// Makes a key and registers it for the user of a login.
    fn register(module: &Module, login: &Login, name: &'static str) -> Self {
        let numbers = rsa::PrivateKey::generate(2048, &[1, 0, 1], false).unwrap();
        let public = rsa_material::encode_spki(&numbers.modulus, &numbers.public_exponent).unwrap();
        let approver = Self { name, key: rsa::PrivateKey::from_components(&numbers).unwrap() };
        let token = module.make_token(login, Service::Registration, None).unwrap();
        let pem = key_file::to_pem("PUBLIC KEY", &public).unwrap();
        module.register_for_quorum(login, pem.as_bytes(), &token.approval_data, &approver.sign(&token.digest)).unwrap();
        approver
    }

    fn sign(&self, digest: &[u8; 32]) -> Vec<u8> {
        let mut info = Hash::Sha256.digest_info_prefix().to_vec();
        info.extend_from_slice(digest);
        let mut signature = vec![0; 256];
        self.key.sign_pkcs1(&info, &mut signature).unwrap();
        signature
    }
}

/// A token of alice's for a key, approved by these.
fn approved(module: &Module, login: &Login, service: Service, key: &Object, by: &[&Approver]) -> Approval {
    let by: Vec<_> = by.iter().map(|approver| (approver.name, *approver)).collect();
    approved_as(module, login, service, key, &by)
}

/// The same by these keys in the names of these users.
fn approved_as(
    module: &Module,
    login: &Login,
    service: Service,
    key: &Object,
    by: &[(&'static str, &Approver)],
) -> Approval {
    let token = module.make_token(login, service, Some(key)).unwrap();
    let signature = |(name, approver): &(&str, &Approver)| Signature {
        username: (*name).to_owned(),
        role: Role::CryptoUser,
        signature: approver.sign(&token.digest),
    };
    let signed = SignedToken { signatures: by.iter().map(signature).collect(), approval_data: token.approval_data };
    module.approve(login, &signed).unwrap()
}

fn tool<'a>(
    module: &Module,
    actor: Actor<'a>,
    what: Use,
    id: CK_MECHANISM_TYPE,
    key: &Arc<Object>,
) -> Result<Tool<'a>> {
    module.tool(Some(actor), what, id, || Ok(Arc::clone(key)), |_| Ok(Parameter::None))
}

fn text<T>(outcome: Result<T>) -> Option<String> {
    outcome.err().map(|error: Error| error.message().to_owned())
}

/// A secret key of alice's, shared with ben, with a quorum of two for everything.
fn guarded(module: &Module, login: &Login, generator: CK_MECHANISM_TYPE, uses: &[u64]) -> Arc<Object> {
    let length = 32_u64.to_ne_bytes();
    let mut entries: Vec<(u64, &[u8])> = vec![(ck::CKA_VALUE_LEN, &length), (ck::CKA_TOKEN, &[ck::CK_TRUE])];
    entries.extend(uses.iter().map(|id| (*id, &[ck::CK_TRUE][..])));
    let users = ["ben".to_owned()];
    let sharing = Sharing { users: &users, quorum: KeyQuorum { manage: 2, using: 2 } };
    let row = super::testing::generator(module, generator);
    module.generate_key(login, row, &Template::of(&entries).unwrap(), &sharing).unwrap()
}

#[test]
fn what_needs_approvals_is_paid_once_before_it_is_done() {
    let (_home, module, officer) = activated();
    module.create_user(&officer, "ben", Role::CryptoUser, &Secret::copy(b"bens-password"), false).unwrap();
    let alice = module.login(Role::CryptoUser, ALICE).unwrap();
    let ben = module.login(Role::CryptoUser, b"ben:bens-password").unwrap();
    let (first, second) = (Approver::register(&module, &alice, "alice"), Approver::register(&module, &ben, "ben"));

    // Signing: without approvals there is no tool, with too few nothing is signed, with enough it is done once.
    let mac = guarded(&module, &alice, ck::CKM_GENERIC_SECRET_KEY_GEN, &[]);
    let sign = |approval: Option<&Approval>| {
        let tool = tool(&module, Actor::new(&alice, approval), Use::Sign, ck::CKM_SHA256_HMAC, &mac)?;
        module.sign(tool, b"a message")
    };
    assert_eq!(text(sign(None)).as_deref(), Some("Quorum Failed"));
    let few = approved(&module, &alice, Service::KeyUsage, &mac, &[&second]);
    assert_eq!(text(sign(Some(&few))).as_deref(), Some(TOO_FEW));
    let enough = approved(&module, &alice, Service::KeyUsage, &mac, &[&first, &second]);
    assert_eq!(sign(Some(&enough)).unwrap().len(), 32);
    assert_eq!(text(sign(Some(&enough))).as_deref(), Some(USED_UP));
    let other = approved(&module, &alice, Service::KeyManagement, &mac, &[&first, &second]);
    assert!(sign(Some(&other)).is_err(), "a token is for one service");

    // Wrapping: the key that leaves and the key that wraps it are paid for each.
    let kek = guarded(&module, &alice, ck::CKM_AES_KEY_GEN, &[ck::CKA_WRAP, ck::CKA_UNWRAP]);
    let form = vendor::CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD;
    let manage = |key: &Object, by: &[&Approver]| approved(&module, &alice, Service::KeyManagement, key, by);
    let wrap = |wrapping: Option<&Approval>, payload: Option<&Approval>| {
        let tool = tool(&module, Actor::new(&alice, wrapping), Use::Wrap, form, &kek)?;
        module.wrap_key(tool, Some(Actor::new(&alice, payload)), &mac, |_| Ok(true))
    };
    let both = [&first, &second];
    assert_eq!(text(wrap(Some(&manage(&kek, &both)), None)).as_deref(), Some("Quorum Failed"));
    assert_eq!(text(wrap(None, Some(&manage(&mac, &both)))).as_deref(), Some("Quorum Failed"));
    let (wrapping, few) = (manage(&kek, &both), manage(&mac, &[&first]));
    assert_eq!(text(wrap(Some(&wrapping), Some(&few))).as_deref(), Some(TOO_FEW));
    // What failed has used up nothing.
    let wrapped = wrap(Some(&wrapping), Some(&manage(&mac, &both))).unwrap().unwrap();

    // Unwrapping: without enough approvals nothing is said of what is wrapped.
    let template = || {
        let (class, key_type) = (ck::CKO_SECRET_KEY.to_ne_bytes(), ck::CKK_GENERIC_SECRET.to_ne_bytes());
        Template::of(&[(ck::CKA_CLASS, &class), (ck::CKA_KEY_TYPE, &key_type)]).unwrap()
    };
    let unwrap = |approval: Option<&Approval>, wrapped: &[u8]| {
        let tool = tool(&module, Actor::new(&alice, approval), Use::Unwrap, form, &kek)?;
        module.unwrap_key(tool, wrapped, &template(), &Sharing::default())
    };
    assert_eq!(text(unwrap(None, wrapped.bytes())).as_deref(), Some("Quorum Failed"));
    let few = manage(&kek, &[&first]);
    for wrapped in [wrapped.bytes(), &[0; 40]] {
        assert_eq!(text(unwrap(Some(&few), wrapped)).as_deref(), Some(TOO_FEW));
    }
    let enough = manage(&kek, &both);
    assert!(!unwrap(Some(&enough), wrapped.bytes()).unwrap().is_token());
    assert_eq!(text(unwrap(Some(&enough), wrapped.bytes())).as_deref(), Some(USED_UP));
}

/// AWS has a quorum of users: a store in which two of them have one key, as was once possible, counts its holder once.
#[test]
fn one_key_of_two_users_approves_once() {
    let (_home, module, officer) = activated();
    module.create_user(&officer, "ben", Role::CryptoUser, &Secret::copy(b"bens-password"), false).unwrap();
    let alice = module.login(Role::CryptoUser, ALICE).unwrap();
    let ben = module.login(Role::CryptoUser, b"ben:bens-password").unwrap();
    let (first, second) = (Approver::register(&module, &alice, "alice"), Approver::register(&module, &ben, "ben"));
    let mac = guarded(&module, &alice, ck::CKM_GENERIC_SECRET_KEY_GEN, &[]);
    let sign = |bens: &Approver| {
        let approval = approved_as(&module, &alice, Service::KeyUsage, &mac, &[("alice", &first), ("ben", bens)]);
        let tool = tool(&module, Actor::new(&alice, Some(&approval)), Use::Sign, ck::CKM_SHA256_HMAC, &mac)?;
        module.sign(tool, b"a message")
    };
    sign(&second).unwrap();
    let hsm = module.hsm().unwrap();
    hsm.commit(Some(&alice), Durability::Synced, &mut |view, _| {
        let key = hsm.read_user_in(view, alice.user)?.unwrap().1.quorum_key;
        let (version, record) = hsm.read_user_in(view, ben.user)?.unwrap();
        let record = User { quorum_key: key, ..record };
        Ok(Plan { changes: vec![hsm.put_user(ben.user, version, &record, None)], ..Plan::default() })
    })
    .unwrap();
    assert_eq!(text(sign(&first)).as_deref(), Some(TOO_FEW));
}
