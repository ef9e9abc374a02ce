//! The plan as a table a person reads before saying yes.

use super::{Access, Network, SandboxPlan};
use ringfence_capability::text;
use std::fmt;

impl fmt::Display for SandboxPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, "profile", self.profile.name())?;
        row(f, "starts in", &shown(&self.working_directory))?;
        if self.files.is_empty() {
            row(f, "files", "none beyond the system")?;
        }
        for rule in &self.files {
            row(f, rule.access.phrase(), &shown(&rule.path))?;
        }
        row(f, "system", &format!("{} (read and execute)", self.baseline.name))?;
        row(f, "network", self.network.phrase())?;
        row(f, "environment", &self.environment.join(" "))?;
        if !self.protected.is_empty() {
            row(f, "protected", &self.protected.join(" "))?;
        }
        let limits = &self.limits;
        let text = format!(
            "{} processes, {} open files, {} memory each, {} per file, {} scratch, {} s processor each",
            limits.processes,
            limits.open_files,
            bytes(limits.memory_bytes),
            bytes(limits.file_size_bytes),
            bytes(limits.scratch_bytes),
            limits.cpu_seconds,
        );
        row(f, "limits", &text)
    }
}

impl Access {
    /// Returns what it allows, in a few words.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Staged => "write (staged)",
            Self::Write => "write (direct)",
        }
    }
}

impl Network {
    /// Returns what it allows, in a few words.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Absent => "none",
            Self::Proxy => "only through the proxy of the host",
        }
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "{name:<15} {value}")
}

/// Returns the path with control characters neutralised.
fn shown(path: &std::path::Path) -> String {
    text::plain(&path.to_string_lossy())
}

fn bytes(number: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let whole = UNITS.iter().find(|(_, size)| number >= *size && number.is_multiple_of(*size));
    whole.map_or_else(|| format!("{number} B"), |(unit, size)| format!("{} {unit}", number / size))
}
