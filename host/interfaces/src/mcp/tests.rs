//! What a grant covers reaches what holds the servers, and nothing else does.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Mutex;

use futures::FutureExt as _;
use ringfence_capability::{Grant, Limits, Origin};

use super::*;
use crate::{EffectSink, NotRecorded, Verdict};

#[derive(Default)]
struct Recorded(Mutex<Vec<Effect>>);

impl EffectSink for Recorded {
    fn record(&self, effect: Effect) -> Result<(), NotRecorded> {
        if effect.operation == "change" {
            return Err(NotRecorded::new());
        }
        self.0.lock().unwrap().push(effect);
        Ok(())
    }
}

/// Answers every call. `write` changes something, which cannot be recorded; `gone` cannot be called.
#[derive(Default)]
struct Servers(Mutex<Vec<OutsideCall>>);

impl OutsideTools for Servers {
    fn tools(&self, _: &GrantSet) -> Vec<wit::Tool> {
        Vec::new()
    }

    fn reach(&self, _: &str, tool: &str) -> Result<OutsideReach, OutsideRefusal> {
        if tool == "gone" {
            let told = wit::Error::Unavailable("the server failed".to_owned());
            return Err(OutsideRefusal { told, why: "the pin of /srv/x was broken".to_owned() });
        }
        Ok(if tool == "write" { OutsideReach::Changes } else { OutsideReach::Reads })
    }

    fn call(&self, call: OutsideCall) -> BoxFuture<'_, Result<wit::Reply, wit::Error>> {
        self.0.lock().unwrap().push(call);
        async { Err(wit::Error::Timeout) }.boxed()
    }
}

/// Returns what the call gave, whether it reached what holds the servers, and what was recorded.
fn check(granted: &[&str], server: &str, tool: &str) -> (wit::Error, bool, Vec<Verdict>) {
    check_with(granted, server, tool, "{}")
}

fn check_with(
    granted: &[&str],
    server: &str,
    tool: &str,
    arguments: &str,
) -> (wit::Error, bool, Vec<Verdict>) {
    let grant = |text: &&str| Grant::new(Capability::Mcp(text.parse().unwrap()), Origin::BuiltIn);
    let grants = Arc::new(GrantSet::new(granted.iter().map(grant).collect()));
    let (recorded, servers) = (Arc::new(Recorded::default()), Arc::new(Servers::default()));
    let meter = Meter::new(Limits::default());
    let caller = OutsideCaller::new(grants, Some(servers.clone()), recorded.clone(), meter);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let call = caller.call(server.to_owned(), tool.to_owned(), arguments.to_owned(), None);
    let error = runtime.block_on(call).unwrap_err();
    let reached = !servers.0.lock().unwrap().is_empty();
    let recorded = std::mem::take(&mut *recorded.0.lock().unwrap());
    (error, reached, recorded.into_iter().map(|effect| effect.verdict).collect())
}

#[test]
fn only_a_granted_tool_reaches_what_holds_the_servers() {
    let granted = &["time/now", "files/*"];
    for (server, tool, reaches) in [
        ("time", "now", true),
        ("files", "read", true),
        ("files", "a/b", true),
        ("time", "later", false),
        ("times", "now", false),
        ("git", "log", false),
        // Neither a pattern nor a name that reads as another tool's.
        ("files", "*", false),
        ("files/read", "x", false),
        ("time/now", "", false),
        ("", "now", false),
    ] {
        let (error, reached, recorded) = check(granted, server, tool);
        assert_eq!(reached, reaches, "{server} {tool}: {error:?}");
        let expected = |verdict: &Verdict| (*verdict == Verdict::Done) == reaches;
        assert!(recorded.len() == 1 && recorded.iter().all(expected), "{recorded:?}");
        assert_eq!(matches!(error, wit::Error::Denied(_)), !reaches, "{error:?}");
    }
}

#[test]
fn a_call_that_cannot_be_recorded_is_not_made() {
    let (error, reached, _) = check(&["files/*"], "files", "write");
    assert!(matches!(error, wit::Error::Denied(_)) && !reached, "{error:?}");
}

#[test]
fn a_call_that_is_not_made_is_recorded_with_the_reason_the_guest_is_not_told() {
    let (error, reached, recorded) = check(&["files/*"], "files", "gone");
    assert_eq!(error, wit::Error::Unavailable("the server failed".to_owned()));
    let why = Verdict::Refused("the pin of /srv/x was broken".to_owned());
    assert_eq!((reached, recorded), (false, vec![why]));

    // One byte too many, and its twin.
    let most = "x".repeat(ARGUMENT_BYTES);
    let (_, reached, recorded) = check_with(&["files/*"], "files", "read", &most);
    assert_eq!((reached, recorded), (true, vec![Verdict::Done]));
    let (error, reached, recorded) = check_with(&["files/*"], "files", "read", &(most + "x"));
    assert_eq!(error, wit::Error::TooLarge(ARGUMENT_BYTES as u64));
    assert!(
        !reached && matches!(&recorded[..], [Verdict::Refused(why)] if why.contains("1048576"))
    );
}
