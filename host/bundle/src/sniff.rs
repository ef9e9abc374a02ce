//! Tells from its first bytes what a file is, so that a wrong one is refused with a useful answer.

use std::fmt;

/// How many bytes [`sniff`] looks at.
pub(crate) const HEAD_BYTES: usize = 512;

/// What the beginning of a file says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// A WebAssembly component.
    Component,
    /// A WebAssembly core module.
    CoreModule,
    /// Nothing at all.
    Empty,
    /// WebAssembly that ends inside its header.
    TruncatedWasm,
    /// WebAssembly of another version.
    WasmVersion {
        /// The version in the header.
        version: u16,
        /// The layer in the header: 0 for modules, 1 for components.
        layer: u16,
    },
    /// The text format of WebAssembly.
    Wat,
    /// A WIT file.
    Wit,
    /// A native program, or code compiled from WebAssembly for one machine.
    Native,
    /// A ZIP archive.
    Zip,
    /// A tar archive, packed bundles among them.
    Tar,
    /// A compressed file.
    Compressed,
    /// Some text.
    Text,
    /// Something else.
    Unknown,
}

impl Found {
    /// Returns what to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Component | Self::CoreModule => "name it directly",
            Self::Empty => "the build may have failed: build the component again",
            Self::TruncatedWasm => "copy or build it again",
            Self::WasmVersion { .. } => "build it with current tools for `wasm32-wasip2`",
            Self::Wat => "turn it into binary form first: `wasm-tools parse x.wat -o x.wasm`",
            Self::Wit => "a WIT file describes an interface: build a component from it",
            Self::Native => {
                "build for `wasm32-wasip2` (Rust: `cargo build --target wasm32-wasip2`)"
            }
            Self::Zip | Self::Tar => "unpack it and name the directory with its `plugin.toml`",
            Self::Compressed => "decompress it first",
            Self::Text | Self::Unknown => "name a plugin directory or a WebAssembly component",
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Component => "it is a component",
            Self::CoreModule => "it is a core module",
            Self::Empty => "the file is empty",
            Self::TruncatedWasm => "the file ends inside the WebAssembly header",
            Self::WasmVersion { version, layer } => {
                return write!(f, "its header has version {version} and layer {layer}");
            }
            Self::Wat => "it is the text format of WebAssembly",
            Self::Wit => "it is a WIT file",
            Self::Native => "it is native machine code",
            Self::Zip => "it is a ZIP archive",
            Self::Tar => "it is a tar archive",
            Self::Compressed => "it is compressed",
            Self::Text => "it is a text file",
            Self::Unknown => "it does not begin like WebAssembly",
        })
    }
}

/// Returns what `head`, the first bytes of a file (512 are enough), says the file is.
pub fn sniff(head: &[u8]) -> Found {
    let magic: &[(&[u8], Found)] = &[
        (b"\x7fELF", Found::Native),
        (b"MZ", Found::Native),
        (b"\xfe\xed\xfa\xce", Found::Native),
        (b"\xfe\xed\xfa\xcf", Found::Native),
        (b"\xce\xfa\xed\xfe", Found::Native),
        (b"\xcf\xfa\xed\xfe", Found::Native),
        (b"\xca\xfe\xba\xbe", Found::Native),
        (b"PK\x03\x04", Found::Zip),
        (b"PK\x05\x06", Found::Zip),
        (b"\x1f\x8b", Found::Compressed),
        (b"\x28\xb5\x2f\xfd", Found::Compressed),
        (b"\xfd7zXZ\0", Found::Compressed),
        (b"BZh", Found::Compressed),
    ];
    if head.is_empty() {
        return Found::Empty;
    }
    if let Some(rest) = head.strip_prefix(b"\0asm") {
        return header(rest);
    }
    if b"\0asm".starts_with(head) {
        return Found::TruncatedWasm;
    }
    if let Some((_, found)) = magic.iter().find(|(magic, _)| head.starts_with(magic)) {
        return *found;
    }
    if head.get(257..262) == Some(b"ustar") {
        return Found::Tar;
    }
    text(head)
}

fn header(rest: &[u8]) -> Found {
    match rest {
        [1, 0, 0, 0, ..] => Found::CoreModule,
        [0x0d, 0, 1, 0, ..] => Found::Component,
        [a, b, c, d, ..] => Found::WasmVersion {
            version: u16::from_le_bytes([*a, *b]),
            layer: u16::from_le_bytes([*c, *d]),
        },
        _ => Found::TruncatedWasm,
    }
}

/// Tells the kinds of text apart. A character may be cut at the end of `head`.
fn text(head: &[u8]) -> Found {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return Found::Unknown,
    };
    if valid.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return Found::Unknown;
    }
    let mut lines = valid.trim_start_matches('\u{feff}').lines().map(str::trim);
    let comment = |line: &&str| line.is_empty() || line.starts_with(";;") || line.starts_with("//");
    match lines.find(|line| !comment(line)) {
        Some(line) if line.starts_with('(') => Found::Wat,
        Some(line) if line.starts_with("package ") && line.contains(':') => Found::Wit,
        _ => Found::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn files_are_told_apart_by_their_first_bytes() {
        let mut tar = [b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        let cases: &[(&[u8], Found)] = &[
            (b"", Found::Empty),
            (b"\0asm\x0d\0\x01\0", Found::Component),
            (b"\0asm\x01\0\0\0rest", Found::CoreModule),
            (b"\0asm\x02\0\0\0", Found::WasmVersion { version: 2, layer: 0 }),
            (b"\0asm\x0c\0\x01\0", Found::WasmVersion { version: 12, layer: 1 }),
            (b"\0as", Found::TruncatedWasm),
            (b"\0asm\x0d\0", Found::TruncatedWasm),
            (b"\x7fELF\x02", Found::Native),
            (b"PK\x03\x04", Found::Zip),
            (&tar, Found::Tar),
            (b"\x1f\x8b\x08", Found::Compressed),
            (b"  ;; comment\n(component)", Found::Wat),
            (b"// x\npackage a:b;\n", Found::Wit),
            (b"#!/bin/sh\n", Found::Text),
            ("é".as_bytes().split_last().map_or(b"", |(_, rest)| rest), Found::Text),
            (b"\xff\xfe\0", Found::Unknown),
            (b"a\0b", Found::Unknown),
        ];
        for (head, found) in cases {
            assert_eq!(sniff(head), *found, "{head:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let found = sniff(&bytes);
            prop_assert!(!found.to_string().is_empty() && !found.advice().is_empty());
        }
    }
}
