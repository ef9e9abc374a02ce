//! How much a plugin run may use. Every limit has a name, which is what an error says.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::ParseError;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Declares the limits once: field, variant, name, default, unit, and what it bounds.
macro_rules! limits {
    ($($field:ident, $variant:ident, $name:literal, $default:expr, $unit:ident, $doc:literal;)*) => {
        /// The name of a limit, as manifests, flags and errors write it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(clippy::exhaustive_enums, reason = "whoever reports a limit must name it")]
        pub enum Limit { $(#[doc = $doc] $variant,)* }

        impl Limit {
            /// Every limit, in the order of the documentation's table.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the name, such as `wall-time`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns what it bounds, in one line.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }

            /// Returns the unit its number is in.
            pub const fn unit(self) -> Unit {
                match self { $(Self::$variant => Unit::$unit,)* }
            }
        }

        /// The bounds of one plugin run. Numbers are bytes, milliseconds or counts, by their name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(clippy::exhaustive_structs, reason = "a caller states limits with `..Limits::default()`")]
        pub struct Limits { $(#[doc = $doc] pub $field: u64,)* }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl Limits {
            /// Returns the number of one limit.
            pub const fn of(&self, limit: Limit) -> u64 {
                match limit { $(Limit::$variant => self.$field,)* }
            }

            /// Sets the number of one limit.
            pub fn set(&mut self, limit: Limit, number: u64) {
                match limit { $(Limit::$variant => self.$field = number,)* }
            }
        }
    };
}

limits! {
    memory_bytes, Memory, "memory", 256 * MIB, Bytes, "linear memory of all instances together";
    memories, Memories, "memories", 16, Count, "linear memories";
    tables, Tables, "tables", 32, Count, "tables";
    table_elements, TableElements, "table-elements", 100_000, Count, "elements of all tables together";
    instances, Instances, "instances", 64, Count, "core instances inside the component";
    resources, Resources, "resources", 4_096, Count, "live resource handles the host holds for the guest";
    stack_bytes, Stack, "stack", 512 * KIB, Bytes, "WebAssembly stack";
    cpu_ms, CpuTime, "cpu-time", 10_000, Millis, "processor time spent in the guest and its host calls";
    wall_ms, WallTime, "wall-time", 30_000, Millis, "time from start to end, host calls included";
    output_bytes, Output, "output", 16 * MIB, Bytes, "standard output, standard error and the result, each";
    log_bytes, Log, "log", MIB, Bytes, "text sent to the host's log";
    host_calls, HostCalls, "host-calls", 5_000_000, Count, "calls from the guest into the host";
    host_call_bytes, HostCallBytes, "host-call-bytes", 32 * MIB, Bytes, "data the guest passes to the host in one call";
    audit_records, AuditRecords, "audit-records", 10_000, Count, "effects of the run that are written to the audit log, each";
    connections, Connections, "connections", 64, Count, "outgoing connections, all of the run together";
    open_files, OpenFiles, "open-files", 256, Count, "files and directories open at once";
    request_bytes, RequestBytes, "request-bytes", 8 * MIB, Bytes, "HTTP request bodies, all of the run together";
    response_bytes, ResponseBytes, "response-bytes", 64 * MIB, Bytes, "HTTP response bodies, all of the run together";
}

/// The unit of a limit's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever prints a limit must handle every unit")]
pub enum Unit {
    /// Bytes, written `64MiB`.
    Bytes,
    /// Milliseconds, written `20s` or `500ms`.
    Millis,
    /// A plain number.
    Count,
}

impl Limits {
    /// Returns the lesser of both, limit by limit.
    #[must_use]
    pub fn least(&self, other: &Self) -> Self {
        let mut least = *self;
        for limit in Limit::ALL {
            least.set(*limit, self.of(*limit).min(other.of(*limit)));
        }
        least
    }

    /// Returns the wall-time limit.
    pub const fn wall_time(&self) -> Duration {
        Duration::from_millis(self.wall_ms)
    }

    /// Returns the processor-time limit.
    pub const fn cpu_time(&self) -> Duration {
        Duration::from_millis(self.cpu_ms)
    }
}

impl Limit {
    /// Reads a number of this limit's unit: `64MiB`, `512KiB`, `1GiB`, `20s`, `500ms`, `2m`, `100`.
    ///
    /// # Errors
    /// When it is no number, has the wrong unit, or is zero.
    pub fn parse(self, text: &str) -> Result<u64, ParseError> {
        let (what, factors): (_, &[(&str, u64)]) = match self.unit() {
            Unit::Bytes => (
                "size such as `64MiB`",
                &[("KiB", KIB), ("MiB", MIB), ("GiB", KIB * MIB), ("B", 1)],
            ),
            Unit::Millis => ("time such as `20s`", &[("ms", 1), ("s", 1_000), ("m", 60_000)]),
            Unit::Count => ("number", &[("", 1)]),
        };
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let factor = factors.iter().find(|(suffix, _)| *suffix == &text[digits.len()..]);
        let number = digits.parse::<u64>().ok().zip(factor).and_then(|(n, f)| n.checked_mul(f.1));
        match number {
            Some(0) => Err(ParseError::new(what, text, "a limit is at least 1")),
            Some(number) => Ok(number),
            None => Err(ParseError::new(what, text, "the number or its unit cannot be read")),
        }
    }

    /// Writes a number of this limit's unit the way [`Limit::parse`] reads it.
    pub fn format(self, number: u64) -> String {
        let whole = |unit: u64| number >= unit && number.is_multiple_of(unit);
        match self.unit() {
            Unit::Bytes if whole(MIB) => format!("{}MiB", number / MIB),
            Unit::Bytes if whole(KIB) => format!("{}KiB", number / KIB),
            Unit::Bytes => format!("{number}B"),
            Unit::Millis if whole(1_000) => format!("{}s", number / 1_000),
            Unit::Millis => format!("{number}ms"),
            Unit::Count => number.to_string(),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Limit {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let known = Self::ALL.iter().copied().find(|limit| limit.name() == text);
        known.ok_or_else(|| ParseError::new("limit", text, "there is no such limit"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_default_is_written_and_read_back() {
        for limit in Limit::ALL {
            let number = Limits::default().of(*limit);
            assert_eq!(limit.parse(&limit.format(number)).unwrap(), number, "{limit}");
            assert_eq!(limit.name().parse::<Limit>().unwrap(), *limit);
        }
    }

    #[test]
    fn numbers_need_their_own_unit() {
        assert_eq!(Limit::WallTime.parse("2m").unwrap(), 120_000);
        for (limit, text) in [
            (Limit::Memory, "64"),
            (Limit::Memory, "64MB"),
            (Limit::Memory, "99999999999GiB"),
            (Limit::WallTime, "20"),
            (Limit::WallTime, "0s"),
            (Limit::Tables, "-1"),
            (Limit::Tables, ""),
            (Limit::Tables, "1é"),
        ] {
            assert!(limit.parse(text).is_err(), "{limit} {text}");
        }
    }

    #[test]
    fn the_least_of_two_takes_the_smaller_of_each() {
        let tight = Limits { wall_ms: 1, ..Limits::default() };
        let small = Limits { memory_bytes: 1, ..Limits::default() };
        let least = tight.least(&small);
        assert_eq!((least.wall_ms, least.memory_bytes), (1, 1));
        assert_eq!(least.tables, Limits::default().tables);
    }
}
