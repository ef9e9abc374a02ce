//! A publisher's statement that one key comes after another, signed with both.

use crate::key::KeyId;
use crate::{KeyEntry, KeyError, KeyState, PublicKey, SecretKey, Signature, TrustStore};
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// How far a publisher's clock may be ahead.
pub(crate) const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(10);

const FIRST_LINE: &str = "ringfence key rotation";
const BETWEEN: &str = "\n---\n";
/// The largest statement: ten times a real one.
const MAX_BYTES: usize = 8 * 1024;

/// That the key `from` signs nothing new, and `to` does from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statement {
    /// The key before.
    pub from: KeyId,
    /// The key after.
    pub to: PublicKey,
    /// When.
    pub time: Timestamp,
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, time } = self;
        write!(f, "{FIRST_LINE}\nfrom: {from}\nto: {to}\ntime: {}\n", time.as_second())
    }
}

impl Statement {
    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.split('\n').collect();
        let [FIRST_LINE, from, to, time, ""] = lines.as_slice() else { return None };
        let statement = Self {
            from: from.strip_prefix("from: ")?.parse().ok()?,
            to: to.strip_prefix("to: ")?.parse().ok()?,
            time: Timestamp::from_second(time.strip_prefix("time: ")?.parse().ok()?).ok()?,
        };
        (statement.to_string() == text).then_some(statement)
    }
}

/// A statement with the signatures of both keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    statement: Statement,
    old: Signature,
    new: Signature,
}

impl Rotation {
    /// Returns the statement that `new` comes after `old`.
    pub fn new(old: &SecretKey, new: &SecretKey, time: Timestamp) -> Self {
        let time = Timestamp::from_second(time.as_second()).unwrap_or(time);
        let statement = Statement { from: old.public().id(), to: new.public(), time };
        let (text, comment) = (statement.to_string(), comment(&statement));
        let sign = |key| Signature::sign(text.as_bytes(), &comment, key);
        Self { old: sign(old), new: sign(new), statement }
    }

    /// Returns the statement in the text of a file.
    ///
    /// # Errors
    /// When it is no statement, or one of the signatures is not written as one.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let fail = |why| KeyError::Statement { why };
        if text.len() > MAX_BYTES {
            return Err(fail("it is too large"));
        }
        let parts: Vec<&str> = text.split(BETWEEN).collect();
        let [statement, old, new] = parts.as_slice() else {
            return Err(fail("it is not a statement with two signatures"));
        };
        let statement = Statement::parse(&format!("{statement}\n"));
        let statement = statement.ok_or(fail("it is not written as one"))?;
        let signature = |text: &str| {
            let bytes = format!("{}\n", text.trim_end_matches('\n'));
            Signature::parse(bytes.as_bytes())
                .map_err(|_| fail("a signature is not written as one"))
        };
        Ok(Self { statement, old: signature(old)?, new: signature(new)? })
    }

    /// Returns what is stated.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Returns what has to be written into the trust store: the new key, with the limits of the old
    /// one, and that the old one is retired.
    ///
    /// # Errors
    /// When the old key is not trusted, or no longer; or a signature does not hold.
    pub fn apply(
        &self,
        store: &TrustStore,
        now: Timestamp,
    ) -> Result<(KeyEntry, KeyEntry), KeyError> {
        let fail = |why| KeyError::Statement { why };
        let Statement { from, to, time } = &self.statement;
        let known = store.key(*from).ok_or(fail("the key before is not trusted here"))?;
        match known.state {
            KeyState::Active => {}
            KeyState::Retired(_) => return Err(fail("the key before was retired already")),
            KeyState::Revoked => return Err(fail("the key before was revoked")),
        }
        let inside = |at: Timestamp| {
            known.not_before.is_none_or(|from| at >= from)
                && known.not_after.is_none_or(|until| at < until)
        };
        if !inside(*time) || !inside(now) {
            return Err(fail("the key before is not valid at that time, or now"));
        }
        if *time > now.saturating_add(CLOCK_SKEW).unwrap_or(now) {
            return Err(fail("it is of the future"));
        }
        if store.key(to.id()).is_some() || *from == to.id() {
            return Err(fail("the key after is known already"));
        }
        let (text, comment) = (self.statement.to_string(), comment(&self.statement));
        let holds = |signature: &Signature, key: &PublicKey| {
            signature.verify(text.as_bytes(), key) == Some(comment.as_str())
        };
        if !holds(&self.old, &known.public) || !holds(&self.new, to) {
            return Err(fail("a signature does not hold"));
        }
        let mut after = KeyEntry::new(*to);
        after.name = Some(known.name.clone());
        after.max_profile = Some(known.max_profile);
        after.plugins = patterns(known)?;
        after.reason = Some(format!("comes after key {from}, by its statement"));
        let mut before = KeyEntry::about(*from);
        before.state = KeyState::Retired(*time);
        before.reason = Some(format!("key {} comes after it, by its statement", to.id()));
        Ok((after, before))
    }
}

/// Returns the names the new key may sign for, when one list says them.
fn patterns(known: &crate::TrustedKey) -> Result<Option<Vec<String>>, KeyError> {
    match known.plugins.as_slice() {
        [] => Ok(None),
        [list] => Ok(Some(list.clone())),
        _ => Err(KeyError::Statement {
            why: "several files limit the names the key before may sign for: add the key by hand",
        }),
    }
}

impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (old, new) = (self.old.to_file(), self.new.to_file());
        write!(f, "{}---\n{old}---\n{new}", self.statement)
    }
}

fn comment(statement: &Statement) -> String {
    let Statement { from, to, time } = statement;
    format!("rotation:{from}>{} time:{}", to.id(), time.as_second())
}
