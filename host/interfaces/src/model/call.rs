//! One call: granted, charged, recorded, sent, tried again, counted, and held to its bounds.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use ringfence_capability::Kind;
use serde_json::Value;
use tokio::time::Instant;

use super::retry::{self, Failed};
use super::sse::Events;
use super::transport::{Head, Lost};
use super::wire::{self, Answer, Malformed};
use super::{
    Api, Model, ModelBudget, ModelCtx, ModelEvent, Models, OwnBudget, Spent, anthropic, openai,
};
use crate::Effect;
use crate::agent::wit::model::{Error, Event, Request, Response, Role, ToolChoice, Usage};
use crate::agent::wit::types::Part;

/// The most bytes of a conversation that are sent.
const REQUEST_BYTES: usize = 16 * 1024 * 1024;
/// The most bytes of an answer.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// The most bytes of vectors.
const VECTOR_BYTES: usize = 32 * 1024 * 1024;
/// The most texts of one request for vectors.
const TEXTS: usize = 2_048;

/// What a call came to.
struct Done<T> {
    value: T,
    usage: Usage,
}

impl ModelCtx {
    /// Asks a model.
    ///
    /// # Errors
    /// What the guest is told.
    ///
    /// # Cancellation
    /// Dropping the future closes the connection; what the model may have written stays spent.
    pub async fn chat(&self, request: &Request) -> Result<Response, Error> {
        let model = self.granted(&request.model, "chat")?;
        wire::check(request)?;
        let most = model.config.most_output_tokens;
        let wanted = request.max_output_tokens.map_or(most, |asked| asked.min(most)).max(1);
        let paid = Paid::take(&*self.budget, wanted).map_err(|_| Error::Budget)?;
        let work = model.chat(request, &paid, self.end());
        let done = self.call("chat", &request.model, work).await;
        paid.settle(&done);
        done.map(|done| done.value).map_err(|failed| failed.error)
    }

    /// Returns a vector for each text.
    ///
    /// # Errors
    /// What the guest is told.
    ///
    /// # Cancellation
    /// Dropping the future closes the connection.
    pub async fn embed(&self, name: &str, texts: &[String]) -> Result<Vec<Vec<f32>>, Error> {
        let model = self.granted(name, "embed")?;
        if model.config.api != Api::OpenAi {
            return Err(wire::unusable("this model makes no vectors"));
        }
        if texts.len() > TEXTS || texts.iter().map(String::len).sum::<usize>() > REQUEST_BYTES {
            return Err(Error::ContextTooLong);
        }
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        // Vectors are not written in tokens: the call alone is counted.
        let paid = Paid::take(&*self.budget, 0).map_err(|_| Error::Budget)?;
        let done = self.call("embed", name, model.embed(texts, &paid, self.end())).await;
        done.map(|done| done.value).map_err(|failed| failed.error)
    }

    fn end(&self) -> Instant {
        Instant::now() + self.budget.time_left()
    }

    /// Records a call, waits for it while the run goes on, and records what it used.
    async fn call<T>(
        &self,
        operation: &str,
        name: &str,
        work: impl Future<Output = Result<Done<T>, Failed>>,
    ) -> Result<Done<T>, Failed> {
        let effect = Effect::done(Kind::Model, operation, name);
        let unrecorded =
            |_| Failed::lasting(Error::Denied("the call could not be recorded".to_owned()));
        self.effects.record(effect).map_err(unrecorded)?;
        self.budget.event(&ModelEvent::Asked { model: name });
        let done = tokio::select! {
            biased;
            () = self.budget.cancelled() => Err(Failed::lasting(Error::Cancelled).after_writing()),
            done = work => done,
        };
        let used = match &done {
            Ok(done) => done.usage,
            Err(_) => Usage { input_tokens: 0, output_tokens: 0 },
        };
        let error = done.as_ref().err().map(|failed| said(&failed.error));
        let note = match &error {
            None => format!("{} tokens read, {} written", used.input_tokens, used.output_tokens),
            Some(error) => format!("no answer: {error}"),
        };
        let ended = Effect::done(Kind::Model, format!("{operation}.end"), name).noting(note);
        // It happened already: that it cannot be told does not undo it.
        let _ = self.effects.record(ended);
        let (input_tokens, output_tokens) = (used.input_tokens, used.output_tokens);
        self.budget.event(&ModelEvent::Ended { model: name, input_tokens, output_tokens, error });
        done
    }
}

/// What a call was given of a budget, for the try that goes on.
struct Paid<'b> {
    budget: &'b dyn ModelBudget,
    wanted: u32,
    taken: AtomicU32,
}

impl<'b> Paid<'b> {
    /// Takes one call and at most `wanted` tokens.
    fn take(budget: &'b dyn ModelBudget, wanted: u32) -> Result<Self, Spent> {
        let taken = AtomicU32::new(budget.take(wanted)?);
        Ok(Self { budget, wanted, taken })
    }

    fn tokens(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Leaves spent what the try before was given, and takes another call and as much again for the next.
    fn take_again(&self) -> Result<(), Spent> {
        self.taken.store(self.budget.take(self.wanted)?, Ordering::Relaxed);
        Ok(())
    }

    /// Settles the last try: what it used, or all it was given where that cannot be known.
    fn settle(&self, done: &Result<Done<Response>, Failed>) {
        let taken = self.tokens();
        let used = match done {
            Ok(done) => done.usage.output_tokens,
            Err(failed) if failed.wrote => u64::from(taken),
            Err(_) => 0,
        };
        self.budget.settle(taken, used);
    }
}

/// Says why there is no answer.
fn said(error: &Error) -> String {
    match error {
        Error::Denied(why) | Error::Provider(why) => why.clone(),
        Error::RateLimited(_) => "its server wants fewer calls".to_owned(),
        Error::ContextTooLong => "the conversation is too long for it".to_owned(),
        Error::Timeout => "it took too long".to_owned(),
        Error::Cancelled => "cancelled".to_owned(),
        Error::Budget => "nothing is left of the budget".to_owned(),
    }
}

/// What a model answered to whoever holds it, without a guest.
#[derive(Debug)]
#[non_exhaustive]
pub struct Asked {
    /// What it said.
    pub text: Vec<String>,
    /// What that used.
    pub usage: Usage,
}

impl Asked {
    /// Returns its text.
    pub fn plain(&self) -> String {
        self.text.join("\n\n")
    }
}

impl Models {
    /// Asks a model one thing on behalf of the operator. No grant is looked at.
    ///
    /// # Errors
    /// Why there is no answer.
    ///
    /// # Cancellation
    /// Dropping the future closes the connection.
    pub async fn ask(
        &self,
        name: &str,
        what: &str,
        most_tokens: u32,
        time: Duration,
    ) -> Result<Asked, String> {
        let model = self.find(name).ok_or("there is no such model")?;
        let request = Request {
            model: name.to_owned(),
            events: vec![Event::Message((Role::User, vec![Part::Text(what.to_owned())]))],
            tools: Vec::new(),
            choice: ToolChoice::Auto,
            max_output_tokens: None,
            temperature: None,
        };
        let own = OwnBudget::new(u32::MAX, u64::MAX, time);
        let paid = Paid::take(&own, most_tokens).map_err(|_| said(&Error::Budget))?;
        let done = model.chat(&request, &paid, Instant::now() + time).await;
        let done = done.map_err(|failed| said(&failed.error))?;
        let text = done.value.parts.into_iter().filter_map(|part| match part {
            Part::Text(text) => Some(text),
            _ => None,
        });
        Ok(Asked { text: text.collect(), usage: done.usage })
    }
}

impl Model {
    fn body(&self, request: &Request, most: u32) -> Result<Value, Error> {
        let (model, stream) = (&self.config.model, self.config.stream);
        match self.config.api {
            Api::OpenAi => openai::chat(request, model, most, self.config.tokens_field, stream),
            Api::Anthropic => anthropic::chat(request, model, most, stream),
        }
    }

    async fn chat(
        &self,
        request: &Request,
        paid: &Paid<'_>,
        end: Instant,
    ) -> Result<Done<Response>, Failed> {
        let path = match self.config.api {
            Api::OpenAi => "/chat/completions",
            Api::Anthropic => "/messages",
        };
        let answer = self.tried(paid, end, || async {
            let body = self.body(request, paid.tokens()).map_err(Failed::lasting)?;
            let size = body.to_string().len();
            if size > REQUEST_BYTES {
                return Err(Failed::lasting(Error::ContextTooLong));
            }
            let head = self.answered(path, &body, end).await?;
            let answer = if head.is_stream() {
                self.streamed(head).await?
            } else {
                self.whole(&head.json(ANSWER_BYTES).await?)?
            };
            Ok((answer, size))
        });
        let (answer, size) = answer.await?;
        let response = answer.response(size).map_err(malformed)?;
        self.holds_no_key(&response).map_err(|error| Failed::lasting(error).after_writing())?;
        Ok(Done { usage: response.usage, value: response })
    }

    async fn embed(
        &self,
        texts: &[String],
        paid: &Paid<'_>,
        end: Instant,
    ) -> Result<Done<Vec<Vec<f32>>>, Failed> {
        let body = openai::embed(&self.config.model, texts);
        let vectors = self.tried(paid, end, || async {
            let head = self.answered("/embeddings", &body, end).await?;
            let value = head.json(VECTOR_BYTES).await?;
            openai::vectors(&value, texts.len()).map_err(malformed)
        });
        let (value, input_tokens) = vectors.await?;
        Ok(Done { value, usage: Usage { input_tokens, output_tokens: 0 } })
    }

    /// Runs `once` until it succeeds, or trying again is of no use or cannot be paid.
    async fn tried<T, F: Future<Output = Result<T, Failed>>>(
        &self,
        paid: &Paid<'_>,
        end: Instant,
        once: impl Fn() -> F,
    ) -> Result<T, Failed> {
        let mut failed = 0;
        loop {
            let failure = match once().await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            failed += 1;
            let left = end.saturating_duration_since(Instant::now());
            let (most, first) = (self.config.retries, self.config.first_wait);
            let wait = retry::wait(&failure, failed, most, first, spread(), left);
            let Some(wait) = wait else { return Err(failure) };
            tokio::time::sleep(wait).await;
            if failure.wrote && paid.take_again().is_err() {
                return Err(failure);
            }
        }
    }

    /// Sends a request and returns the head of an answer that is no error.
    async fn answered(&self, path: &str, body: &Value, end: Instant) -> Result<Head, Failed> {
        let head = self.send(path, body, end).await?;
        if head.status.is_success() {
            return Ok(head);
        }
        let (status, headers) = (head.status, head.headers.clone());
        let error = head.error().await;
        Err(retry::of_status(status, &headers, &error, SystemTime::now()))
    }

    fn whole(&self, value: &Value) -> Result<Answer, Failed> {
        let answer = match self.config.api {
            Api::OpenAi => openai::whole(value),
            Api::Anthropic => anthropic::whole(value),
        };
        answer.map_err(malformed)
    }

    async fn streamed(&self, mut head: Head) -> Result<Answer, Failed> {
        let (mut events, mut answer, mut size) = (Events::default(), Answer::default(), 0);
        let no_event = |_| Lost::Malformed("the stream of events");
        let take = |answer: &mut Answer, data: &str| match self.config.api {
            Api::OpenAi => openai::event(answer, data),
            Api::Anthropic => anthropic::event(answer, data),
        };
        while let Some(piece) = head.piece().await? {
            size += piece.len();
            if size > ANSWER_BYTES {
                return Err(Lost::TooLarge.into());
            }
            for data in events.feed(&piece).map_err(no_event)? {
                take(&mut answer, &data).map_err(malformed)?;
                // A server may keep the connection open after its last word.
                if answer.over || answer.failed {
                    return finished(answer);
                }
            }
        }
        if let Some(data) = events.end().map_err(no_event)? {
            take(&mut answer, &data).map_err(malformed)?;
        }
        finished(answer)
    }

    /// Refuses an answer with the key in it: a server that echoes what it was sent must not hand the
    /// key to the guest.
    fn holds_no_key(&self, response: &Response) -> Result<(), Error> {
        let Some(key) = &self.config.key else { return Ok(()) };
        let texts = response.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text),
            _ => None,
        });
        let uses = response.tool_uses.iter().flat_map(|one| [&one.id, &one.name, &one.arguments]);
        if texts.chain(uses).any(|text| key.is_in(text.as_bytes())) {
            let why = "its answer has the key in it, and was held back";
            return Err(Error::Provider(why.to_owned()));
        }
        Ok(())
    }
}

/// Returns an answer that is whole.
fn finished(answer: Answer) -> Result<Answer, Failed> {
    if answer.failed || !answer.ended { Err(Lost::Cut.into()) } else { Ok(answer) }
}

fn malformed(bad: Malformed) -> Failed {
    Lost::Malformed(bad.0).into()
}

/// Returns a number from 0 to 1 that differs from call to call.
fn spread() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}
