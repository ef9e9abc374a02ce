//! What a failed request means: tried again, and when, or told to the guest.

use std::time::{Duration, SystemTime};

use http::header::{HeaderMap, RETRY_AFTER};
use http::{HeaderName, StatusCode};
use serde_json::Value;

use super::transport::Lost;
use crate::agent::wit::model::Error;

/// The longest wait before a request is tried again; a server that wants more is told to the guest.
const LONGEST: Duration = Duration::from_mins(1);

/// A request that failed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failed {
    /// What the guest is told.
    pub(super) error: Error,
    /// Whether another try may end better.
    pub(super) passing: bool,
    /// How long the server wants to be left alone.
    pub(super) after: Option<Duration>,
    /// Whether the model may have written: what it was given for that stays spent.
    pub(super) wrote: bool,
}

impl Failed {
    /// Returns a failure that comes again however often it is tried.
    pub(super) fn lasting(error: Error) -> Self {
        Self { error, passing: false, after: None, wrote: false }
    }

    /// Returns the same, after which the model may have written.
    pub(super) fn after_writing(self) -> Self {
        Self { wrote: true, ..self }
    }
}

impl From<Lost> for Failed {
    fn from(lost: Lost) -> Self {
        let late = Self { error: Error::Timeout, passing: true, after: None, wrote: false };
        let words = match lost {
            Lost::NoConnection => return late,
            Lost::Late => return late.after_writing(),
            Lost::Unreachable(what) => format!("it cannot be reached: {what}"),
            Lost::Cut => "it stopped in the middle of its answer".to_owned(),
            Lost::TooLarge => "its answer is larger than is taken".to_owned(),
            Lost::Malformed(place) => {
                format!("its answer is not of the form it should be: {place}")
            }
        };
        let passing = matches!(lost, Lost::Unreachable(_) | Lost::Cut);
        let wrote = !matches!(lost, Lost::Unreachable(_));
        Self { error: Error::Provider(words), passing, after: None, wrote }
    }
}

/// Returns what an error of the server means. Nothing of its text is passed on: it may hold anything,
/// the key included.
pub(super) fn of_status(
    status: StatusCode,
    headers: &HeaderMap,
    body: &Value,
    now: SystemTime,
) -> Failed {
    let after = retry_after(headers, now);
    if status == StatusCode::TOO_MANY_REQUESTS {
        let told = after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        return Failed { error: Error::RateLimited(told), passing: true, after, wrote: false };
    }
    if matches!(status.as_u16(), 400 | 413 | 422) && says_too_long(status, body) {
        return Failed::lasting(Error::ContextTooLong);
    }
    let code = status.as_u16();
    let what = match code {
        300..=399 => "it leads elsewhere, and a key is sent nowhere else",
        401 | 403 => "it does not accept the key",
        404 => "it has no such model or address",
        400..=499 => "it does not accept the request",
        _ => "it failed",
    };
    let passing = matches!(code, 408 | 409 | 425 | 500 | 502 | 503 | 504 | 529);
    // The words of somebody in between: the model may have been at it all the while.
    let wrote = matches!(code, 408 | 502 | 504 | 524);
    let error = Error::Provider(format!("{what} ({code})"));
    Failed { error, passing, after, wrote }
}

/// Tells whether an error says that the conversation is too long: each server says it in its own way.
fn says_too_long(status: StatusCode, body: &Value) -> bool {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        return true;
    }
    let error = body.get("error").unwrap_or(body);
    let texts = ["code", "type", "message"].map(|key| error.get(key).and_then(Value::as_str));
    let said = |text: &str| {
        let text = text.to_ascii_lowercase();
        let ways = [
            "context_length",
            "context length",
            "context size",
            "context_size",
            "prompt is too long",
        ];
        ways.iter().any(|way| text.contains(way))
    };
    texts.into_iter().flatten().any(said)
}

/// Returns how long to wait before the next try, after `failed` of them; nothing when there is none in
/// time. `spread`, from 0 to 1, keeps those that failed together from coming back together.
pub(super) fn wait(
    failure: &Failed,
    failed: u32,
    most: u32,
    first: Duration,
    spread: f64,
    left: Duration,
) -> Option<Duration> {
    if !failure.passing || failed > most {
        return None;
    }
    let doubled =
        2u32.checked_pow(failed.saturating_sub(1)).and_then(|times| first.checked_mul(times));
    let own =
        doubled.unwrap_or(LONGEST).min(LONGEST / 2).mul_f64(0.5 + spread.clamp(0.0, 1.0) / 2.0);
    let wait = failure.after.unwrap_or(own);
    (wait <= LONGEST && wait < left).then_some(wait)
}

/// Returns what the server says about when to come back: seconds, milliseconds or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let millis = HeaderName::from_static("retry-after-ms");
    let read = |name: &HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(millis) = read(&millis).and_then(|text| text.parse::<u64>().ok()) {
        return Some(Duration::from_millis(millis));
    }
    let text = read(&RETRY_AFTER)?;
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = httpdate::parse_http_date(text).ok()?;
    // A date that is past means now.
    Some(at.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn failed(status: u16, headers: &HeaderMap, body: &Value) -> Failed {
        let now = httpdate::parse_http_date("Sat, 28 Nov 2026 13:00:00 GMT").unwrap();
        of_status(StatusCode::from_u16(status).unwrap(), headers, body, now)
    }

    #[test]
    fn when_to_come_back_is_read_in_each_of_its_ways() {
        for (name, value, after) in [
            ("retry-after", "3", Some(3_000)),
            ("retry-after", "0.5", Some(500)),
            ("retry-after", "Sat, 28 Nov 2026 13:00:07 GMT", Some(7_000)),
            ("retry-after", "Sat, 28 Nov 2026 12:00:00 GMT", Some(0)),
            ("retry-after-ms", "25", Some(25)),
            ("retry-after", "soon", None),
            ("retry-after", "-1", None),
            ("retry-after", "NaN", None),
        ] {
            let got = failed(429, &headers(&[(name, value)]), &Value::Null);
            assert_eq!(got.error, Error::RateLimited(after), "{name}: {value}");
            assert_eq!(got.after, after.map(Duration::from_millis), "{name}: {value}");
        }
    }

    #[test]
    fn what_may_pass_is_tried_again_and_the_rest_is_not() {
        for (status, passing) in [
            (500, true),
            (502, true),
            (503, true),
            (529, true),
            (408, true),
            (429, true),
            (400, false),
            (401, false),
            (403, false),
            (404, false),
            (302, false),
            (501, false),
        ] {
            assert_eq!(
                failed(status, &HeaderMap::new(), &Value::Null).passing,
                passing,
                "{status}"
            );
        }
    }

    #[test]
    fn a_conversation_that_is_too_long_is_known_by_each_server_s_words() {
        let none = HeaderMap::new();
        for body in [
            json!({ "error": { "code": "context_length_exceeded" } }),
            json!({ "error": { "type": "exceed_context_size_error" } }),
            json!({ "error": { "message": "prompt is too long: 9 tokens > 8 maximum" } }),
            json!({ "message": "This model's maximum context length is 8 tokens" }),
        ] {
            assert_eq!(failed(400, &none, &body).error, Error::ContextTooLong, "{body}");
            assert_ne!(failed(500, &none, &body).error, Error::ContextTooLong, "{body}");
        }
        assert_eq!(failed(413, &none, &Value::Null).error, Error::ContextTooLong);
    }

    #[test]
    fn nothing_a_server_says_in_an_error_is_passed_on() {
        let body = json!({ "error": { "message": "bad key sk-hunter2", "code": "sk-hunter2" } });
        for status in [400, 401, 404, 429, 500] {
            let said = format!("{:?}", failed(status, &HeaderMap::new(), &body));
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn waits_double_within_bounds_and_never_past_the_time_left() {
        let first = Duration::from_millis(500);
        let hour = Duration::from_hours(1);
        let passing = Failed { error: Error::Timeout, passing: true, after: None, wrote: true };
        let waits: Vec<_> = (1..=5)
            .map(|failed| wait(&passing, failed, 4, first, 1.0, hour).map(|wait| wait.as_millis()))
            .collect();
        assert_eq!(waits, [Some(500), Some(1_000), Some(2_000), Some(4_000), None]);
        assert_eq!(wait(&passing, 1, 4, first, 0.0, hour), Some(first / 2), "spread");
        assert_eq!(wait(&passing, 99, 99, first, 1.0, hour), Some(LONGEST / 2), "no overflow");
        assert_eq!(wait(&passing, 1, 4, first, 1.0, first), None, "no time is left for it");
        let told = |after| Failed { after: Some(after), ..passing.clone() };
        assert_eq!(wait(&told(LONGEST), 1, 4, first, 1.0, hour), Some(LONGEST));
        let longer = LONGEST + Duration::from_secs(1);
        assert_eq!(wait(&told(longer), 1, 4, first, 1.0, hour), None, "the guest is told");
        assert_eq!(wait(&Failed::lasting(Error::Timeout), 1, 4, first, 1.0, hour), None);
    }
}
