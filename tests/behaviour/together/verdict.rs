//! What some order of the calls allows: of each call only its span is known, so that of two calls the one came first whose end was
//! before the other's beginning, and else either.

use std::collections::HashMap;

use crate::support::*;

/// Whether a key is SENSITIVE, not EXTRACTABLE, WRAP_WITH_TRUSTED: each only ever becomes true (I4).
pub(super) type Protection = [bool; 3];

/// When a call ran, in ticks of the round's clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Span {
    const fn is_before(self, other: Self) -> bool {
        self.to < other.from
    }
}

/// The end of the round.
const THE_END: Span = Span { from: u64::MAX, to: u64::MAX };

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) handle: CK_OBJECT_HANDLE,
    pub(super) label: String,
    pub(super) made: Span,
    pub(super) protection: Protection,
    /// The session that it dies with; none for a token key.
    pub(super) owner: Option<Session>,
    /// The key that it is a copy of or derived from.
    pub(super) from: Option<CK_OBJECT_HANDLE>,
}

/// A call, and the key that it is about.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// What is tightened, and the new label.
    Change(CK_OBJECT_HANDLE, Protection, Option<String>),
    /// Which flag was read, and what it was.
    See(CK_OBJECT_HANDLE, usize, bool),
    Value(CK_OBJECT_HANDLE),
    Use(CK_OBJECT_HANDLE),
    Wrap(CK_OBJECT_HANDLE),
    Copy(CK_OBJECT_HANDLE),
    Derive(CK_OBJECT_HANDLE),
    /// A search by the first label of a key, and whether it was found.
    Find(CK_OBJECT_HANDLE, bool),
    Destroy(CK_OBJECT_HANDLE),
    /// A session key becomes a token key.
    Store(CK_OBJECT_HANDLE),
    Make,
    Logout,
    Login(usize),
    Close(Session),
    SetPin,
}

impl What {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Change(..) => "change",
            Self::See(..) => "see",
            Self::Value(_) => "value",
            Self::Use(_) => "use",
            Self::Wrap(_) => "wrap",
            Self::Copy(_) => "copy",
            Self::Derive(_) => "derive",
            Self::Find(..) => "find",
            Self::Destroy(_) => "destroy",
            Self::Store(_) => "store",
            Self::Make => "make",
            Self::Logout => "logout",
            Self::Login(_) => "login",
            Self::Close(_) => "close",
            Self::SetPin => "set pin",
        }
    }

    const fn key(&self) -> Option<CK_OBJECT_HANDLE> {
        match self {
            Self::Change(key, ..) | Self::See(key, ..) | Self::Find(key, _) => Some(*key),
            Self::Value(key) | Self::Use(key) | Self::Wrap(key) | Self::Copy(key) | Self::Derive(key) => Some(*key),
            Self::Destroy(key) | Self::Store(key) => Some(*key),
            Self::Make | Self::Logout | Self::Login(_) | Self::Close(_) | Self::SetPin => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) span: Span,
    pub(super) answer: Answer,
    pub(super) what: What,
    /// The key that came of it.
    pub(super) made: Option<Key>,
}

pub(super) struct Verdict<'a> {
    keys: HashMap<CK_OBJECT_HANDLE, &'a Key>,
    events: &'a [Event],
}

impl<'a> Verdict<'a> {
    pub(super) fn new(keys: &'a [Key], events: &'a [Event]) -> Self {
        let all = keys.iter().map(|key| (key.handle, key)).collect::<HashMap<_, _>>();
        assert_eq!(all.len(), keys.len(), "one handle, given out twice");
        Self { keys: all, events }
    }

    fn done(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(|event| event.answer.is_ok())
    }

    fn about(&self, key: CK_OBJECT_HANDLE) -> impl Iterator<Item = &Event> {
        self.done().filter(move |event| event.what.key() == Some(key))
    }

    /// Who is logged in in the end, if that has changed.
    pub(super) fn last_user(&self) -> Option<usize> {
        let logins = self.done().filter_map(|event| match event.what {
            What::Login(user) => Some((event.span.to, user)),
            _ => None,
        });
        logins.max().map(|(_, user)| user)
    }

    /// The calls that end the handle of a key.
    fn endings<'b>(&'b self, key: &'b Key) -> impl Iterator<Item = Span> + 'b {
        let is_stored = self.about(key.handle).any(|event| matches!(event.what, What::Store(_)));
        let ends = move |event: &&Event| match &event.what {
            What::Destroy(gone) => *gone == key.handle,
            // What became a token key was one before its session was closed.
            What::Close(session) => key.owner == Some(*session) && !is_stored,
            What::Logout => !event.span.is_before(key.made),
            _ => false,
        };
        self.done().filter(ends).map(|event| event.span)
    }

    /// Whether the handle has certainly ended before a call began.
    fn is_gone(&self, key: &Key, at: Span) -> bool {
        // Of a logout that ran beside the making nobody knows which was first.
        self.endings(key).any(|ending| ending.is_before(at) && key.made.is_before(ending))
    }

    /// Whether it may have ended before a call ended.
    fn may_be_gone(&self, key: &Key, at: Span) -> bool {
        self.endings(key).any(|ending| !at.is_before(ending))
    }

    /// Whether nobody may have been logged in during a call.
    fn may_be_out(&self, at: Span) -> bool {
        self.done().filter(|event| matches!(event.what, What::Logout)).any(|logout| {
            let back =
                self.done().filter(|event| matches!(event.what, What::Login(_)) && logout.span.is_before(event.span));
            let back = back.map(|login| login.span.to).min().unwrap_or(u64::MAX);
            logout.span.from <= at.to && at.from <= back
        })
    }

    /// What a key certainly was when a call began, and may have been when it ended.
    fn protection(&self, key: &Key, at: Span) -> (Protection, Protection) {
        let (mut certain, mut possible) = (key.protection, key.protection);
        for event in self.about(key.handle) {
            let What::Change(_, tightened, _) = &event.what else { continue };
            for flag in 0..3 {
                certain[flag] |= tightened[flag] && event.span.is_before(at);
                possible[flag] |= tightened[flag] && !at.is_before(event.span);
            }
        }
        (certain, possible)
    }

    /// Each answer, compared with what may have been when it was given.
    pub(super) fn of_answers(&self) {
        for event in self.events {
            let Some(key) = event.what.key() else {
                let fine = event.answer.is_ok() || (matches!(event.what, What::Make) && self.may_be_out(event.span));
                assert!(fine, "{event:?}");
                continue;
            };
            let key = self.keys[&key];
            let (certain, possible) = self.protection(key, event.span);
            let say =
                || format!("{event:?} of {key:?}: {certain:?} to {possible:?}\n{:#?}", self.about_all(key.handle));
            match (&event.what, event.answer) {
                (What::Find(_, found), Ok(())) => {
                    assert!(!found || !self.is_gone(key, event.span), "I6, a key that is gone is found: {}", say());
                    let renamed = self.about(key.handle).any(|change| {
                        matches!(change.what, What::Change(_, _, Some(_))) && !event.span.is_before(change.span)
                    });
                    let lost = !found && !renamed && !self.may_be_gone(key, event.span);
                    assert!(!lost, "a key that is there is not found: {}", say());
                }
                (what, Ok(())) => {
                    assert!(!self.is_gone(key, event.span), "I6, a handle outlived its end: {}", say());
                    match what {
                        What::See(_, flag, on) => assert!(
                            if *on { possible[*flag] } else { !certain[*flag] },
                            "I4, a lost change or one that nobody made: {}",
                            say()
                        ),
                        What::Value(_) => assert_eq!(certain, [false; 3], "I1, a protected value is shown: {}", say()),
                        What::Wrap(_) => assert!(!certain[1] && !certain[2], "I2, a key leaves: {}", say()),
                        _ => {}
                    }
                }
                (what, Err(rv)) => assert!(self.may_refuse(key, event, what, rv, possible), "{}", say()),
            }
            if let Some(made) = event.made.as_ref().filter(|made| made.from.is_some()) {
                let kept = (0..3).all(|flag| made.protection[flag] || !certain[flag]);
                assert!(kept, "I4 and I5, {made:?} is less protected than its base: {}", say());
            }
        }
    }

    fn may_refuse(&self, key: &Key, event: &Event, what: &What, rv: Rv, possible: Protection) -> bool {
        let (at, out) = (event.span, self.may_be_out(event.span));
        match rv.0 {
            CKR_OBJECT_HANDLE_INVALID | CKR_KEY_HANDLE_INVALID => self.may_be_gone(key, at),
            CKR_USER_NOT_LOGGED_IN | CKR_OPERATION_NOT_INITIALIZED => out,
            // The key that wraps has another handle after a logout.
            CKR_WRAPPING_KEY_HANDLE_INVALID => self.done().any(|event| matches!(event.what, What::Logout)),
            CKR_ATTRIBUTE_SENSITIVE => matches!(what, What::Value(_)) && possible != [false; 3],
            CKR_KEY_UNEXTRACTABLE => matches!(what, What::Wrap(_)) && possible[1],
            CKR_KEY_NOT_WRAPPABLE => matches!(what, What::Wrap(_)) && possible[2],
            _ => false,
        }
    }

    fn about_all(&self, key: CK_OBJECT_HANDLE) -> Vec<&Event> {
        let concerns = |event: &&Event| event.what.key() == Some(key) || event.what.key().is_none();
        self.events.iter().filter(concerns).collect()
    }

    /// Whether a key is there in the end.
    pub(super) fn of_life(&self, key: &Key, refused: Option<Rv>) {
        let said = || format!("{key:?}: {refused:?}\n{:#?}", self.about_all(key.handle));
        match refused {
            None => assert!(!self.is_gone(key, THE_END), "I6, a key outlived its end: {}", said()),
            Some(rv) => {
                assert_eq!(rv.0, CKR_OBJECT_HANDLE_INVALID, "{}", said());
                assert!(self.may_be_gone(key, THE_END), "a key has vanished: {}", said());
            }
        }
    }

    /// What a key that is there is called, and how it is protected: every change that was acknowledged is in it, and no other.
    pub(super) fn of_form(&self, key: &Key, label: &str, seen: Protection) {
        let said = || format!("{key:?} is {label} {seen:?}\n{:#?}", self.about_all(key.handle));
        let (certain, possible) = self.protection(key, THE_END);
        let unknown = key.from.is_none() && key.made.from > 0;
        assert!(unknown || (seen == certain && seen == possible), "a lost change, {certain:?}: {}", said());
        let named: Vec<(Span, &str)> = self
            .about(key.handle)
            .filter_map(|event| match &event.what {
                What::Change(_, _, Some(label)) => Some((event.span, label.as_str())),
                _ => None,
            })
            .collect();
        let last = |span: Span| !named.iter().any(|(other, _)| span.is_before(*other));
        let fine = if named.is_empty() {
            label == key.label
        } else {
            named.iter().any(|(span, name)| *name == label && last(*span))
        };
        assert!(fine, "a lost name: {}", said());
    }
}
