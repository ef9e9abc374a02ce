//! Steps with a cache around them: what was made before is not made again.
//!
//! - A step that is granted nothing but a fixed clock and seed computes: the same plugin answers the same
//!   question to it in the same way for ever. The checker is never answered from the cache.
//! - A provider that reaches the network has its pages kept with their validators: until they are too old
//!   they are used, and then it is asked whether they changed. What it found is kept for a run that is
//!   taken up again, and used by no other.
//! - Any other provider is asked each time.
//!
//! Of several processes that want one page, one asks and the others wait for it.

#[cfg(test)]
mod tests;

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::cache::{Cache, CacheError, Entry, Flight, Key, Kind};
use crate::report::StepUsed;
use crate::steps::{StepError, StepKind, Steps};

/// How old a page may be before it is asked for again, unless somebody says otherwise.
pub const PAGE_AGE: Duration = Duration::from_hours(24);
/// How long after an interruption a run can be taken up with what it had found.
pub const RESUME_AGE: Duration = Duration::from_hours(24);
/// How long a process waits for another to get a page before it asks itself.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Whether a run takes up an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Resume {
    /// It begins anew: searches are made again, and pages that are too old asked for again.
    No,
    /// What an earlier one found within [`RESUME_AGE`] is used.
    Yes,
}

/// Steps with a cache around them.
pub struct Cached<'a> {
    steps: &'a dyn Steps,
    cache: &'a Cache,
    resume: Resume,
    page_age: Duration,
    setting: String,
}

/// What a step may be answered from.
enum Way {
    /// Nothing.
    Ask,
    /// What it answered before, however long ago.
    Computed(Key),
    /// What it found before, when the run is taken up again.
    Found(Key),
    /// The page, as long as it is not too old.
    Page(Key),
}

impl<'a> Cached<'a> {
    /// Puts a cache around steps.
    pub fn new(steps: &'a dyn Steps, cache: &'a Cache, resume: Resume, page_age: Duration) -> Self {
        Self { steps, cache, resume, page_age, setting: String::new() }
    }

    /// Says what the grants of the provider stand for here. What was kept where they stood for something
    /// else, such as another directory or account, is not used.
    #[must_use]
    pub fn under(mut self, setting: &str) -> Self {
        setting.clone_into(&mut self.setting);
        self
    }

    fn way(&self, step: StepKind, function: &str, input: &Value) -> Way {
        let used = self.steps.used(step);
        let writer = match step {
            StepKind::Provider => writer(&used, &self.setting),
            _ => writer(&used, ""),
        };
        let online = used.grants.iter().any(|grant| grant.starts_with("http"));
        let bytes = input.to_string();
        match (step, function) {
            (StepKind::Provider, "search") if online => {
                Way::Found(Key::new(Kind::Search, &writer, &[bytes.as_bytes()]))
            }
            (StepKind::Provider, "retrieve") if online => {
                let url = crate::gather::key(input["url"].as_str().unwrap_or_default());
                Way::Page(Key::new(Kind::Page, &writer, &[url.as_bytes()]))
            }
            (StepKind::Provider, _) | (StepKind::Synthesise, "check") => Way::Ask,
            // What another plugin answers is not what this one answers.
            (StepKind::Extract, _)
                if input["media-type"].as_str().is_some_and(|one| self.steps.has_reader(one)) =>
            {
                Way::Ask
            }
            _ if computes(&used) => {
                let parts = [step.name().as_bytes(), function.as_bytes(), bytes.as_bytes()];
                Way::Computed(Key::new(Kind::Answer, &writer, &parts))
            }
            _ => Way::Ask,
        }
    }

    /// Answers from the cache, or asks the step and keeps its answer.
    async fn answered(
        &self,
        key: Key,
        (step, function, input): (StepKind, &str, Value),
        oldest: Option<Duration>,
    ) -> Result<Value, StepError> {
        let kept = self.find(&key).filter(|(_, age)| oldest.is_none_or(|oldest| *age <= oldest));
        if let Some((value, _)) = kept {
            self.steps.kept_answer(step);
            return Ok(value);
        }
        let label = format!("{step}.{function}");
        let value = self.steps.call(step, function, input).await?;
        self.keep(&key, &label, &value);
        Ok(value)
    }

    async fn page(&self, key: Key, input: Value) -> Result<Value, StepError> {
        if let Some(page) = self.young(&key) {
            return Ok(page);
        }
        let _turn = self.turn(&key).await;
        // Another process may have got it meanwhile.
        if let Some(page) = self.young(&key) {
            return Ok(page);
        }
        let old = self.find(&key).map(|(page, _)| page);
        let known =
            old.as_ref().map(|page| json!({ "etag": page["etag"], "modified": page["modified"] }));
        let known = known.filter(|known| !(known["etag"].is_null() && known["modified"].is_null()));
        let url = input["url"].as_str().unwrap_or_default().to_owned();
        let ask = json!({ "url": url, "known": known });
        let answer = self.steps.call(StepKind::Provider, "retrieve", ask).await?;
        let page = match (answer, old) {
            (Value::Null, Some(old)) if known.is_some() => old,
            (answer, _) => answer,
        };
        if !page.is_null() {
            self.keep(&key, &url, &page);
        }
        Ok(page)
    }

    /// Returns a page that need not be asked for again.
    fn young(&self, key: &Key) -> Option<Value> {
        let oldest = match self.resume {
            Resume::Yes => self.page_age.max(RESUME_AGE),
            Resume::No => self.page_age,
        };
        let young = self.find(key).filter(|(_, age)| *age < oldest).map(|(page, _)| page);
        young.inspect(|_| self.steps.kept_answer(StepKind::Provider))
    }

    /// Waits for the turn to get a page; nothing when that takes too long or cannot be had, which costs
    /// no more than asking twice.
    async fn turn(&self, key: &Key) -> Option<Flight> {
        let wait = async {
            loop {
                match self.cache.flight(key) {
                    Ok(Some(turn)) => return Some(turn),
                    Ok(None) => tokio::time::sleep(PAUSE).await,
                    Err(error) => {
                        useless(&error);
                        return None;
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.ok().flatten()
    }

    /// Returns what is kept and how old it is. What is no JSON was not written here.
    fn find(&self, key: &Key) -> Option<(Value, Duration)> {
        let entry = match self.cache.find(key) {
            Ok(entry) => entry?,
            Err(error) => {
                useless(&error);
                return None;
            }
        };
        // A time that has not come yet is no reason to keep something for ever.
        let age = self.cache.now().checked_sub(entry.checked).map(Duration::from_secs)?;
        Some((serde_json::from_slice(&entry.body).ok()?, age))
    }

    fn keep(&self, key: &Key, label: &str, value: &Value) {
        let entry = Entry { body: value.to_string().into_bytes(), checked: self.cache.now() };
        if let Err(error) = self.cache.keep(key, label, &entry) {
            useless(&error);
        }
    }
}

/// Returns who an entry is of: the plugin, what it was granted, and what that stood for.
fn writer(used: &StepUsed, setting: &str) -> String {
    format!("{} {} {} {setting}", used.plugin, used.digest, used.grants.join(" "))
}

/// Whether a step has nothing to answer from but its input.
fn computes(used: &StepUsed) -> bool {
    let fixed = ["clock:deterministic", "random:deterministic"];
    used.grants.iter().all(|grant| fixed.contains(&grant.as_str()))
}

/// A cache that fails costs time, and never a result.
fn useless(error: &CacheError) {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    tracing::warn!(%error, cause, "the research cache was passed over");
}

impl Steps for Cached<'_> {
    fn call<'a>(
        &'a self,
        step: StepKind,
        function: &'a str,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, StepError>> {
        async move {
            match self.way(step, function, &input) {
                Way::Ask => self.steps.call(step, function, input).await,
                Way::Computed(key) => self.answered(key, (step, function, input), None).await,
                Way::Found(key) => {
                    if self.resume == Resume::No {
                        let _ = self.cache.forget(&key).inspect_err(useless);
                    }
                    self.answered(key, (step, function, input), Some(RESUME_AGE)).await
                }
                Way::Page(key) => self.page(key, input).await,
            }
        }
        .boxed()
    }

    fn used(&self, step: StepKind) -> StepUsed {
        self.steps.used(step)
    }

    fn has_reader(&self, media_type: &str) -> bool {
        self.steps.has_reader(media_type)
    }

    fn readers(&self) -> Vec<StepUsed> {
        self.steps.readers()
    }

    fn has(&self, step: StepKind, interface: &str) -> bool {
        self.steps.has(step, interface)
    }

    fn kept_answer(&self, step: StepKind) {
        self.steps.kept_answer(step);
    }
}

/// Returns the key of what a provider learned where its grants stand for `setting`.
pub fn memory_key(used: &StepUsed, setting: &str) -> Key {
    Key::new(Kind::Memory, &writer(used, setting), &[])
}
