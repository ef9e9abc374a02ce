//! One pass over the sections of a component: names, producers and doc comments.

use super::docs::{self, Docs};
use super::{Extern, MAX_EXTERNS, Producer};
use crate::{BundleError, imports};
use ringfence_capability::text;
use std::borrow::Cow;
use wasmparser::{
    ComponentExternalKind, ComponentTypeRef, KnownCustom, Parser, Payload, ProducersSectionReader,
    TypeBounds,
};

/// The most producers that are listed.
const MAX_PRODUCERS: usize = 64;
/// The longest name or version of a producer that is kept.
const MAX_PRODUCER_CHARS: usize = 100;
/// How deep components may lie in components.
const MAX_NESTING: usize = 50;

/// What one pass over the sections finds.
#[derive(Default)]
pub(super) struct Scan {
    pub(super) imports: Vec<Extern>,
    pub(super) exports: Vec<Extern>,
    pub(super) producers: Vec<Producer>,
    pub(super) docs: Docs,
    /// Where the name of each `package-docs` section ends.
    package_docs: Vec<usize>,
}

impl Scan {
    /// Returns the component with its `package-docs` sections under another name. The decoder would
    /// refuse a component for what stands there, which is only comments.
    pub(super) fn without_docs<'a>(&self, component: &'a [u8]) -> Cow<'a, [u8]> {
        let mut bytes = Cow::Borrowed(component);
        for end in &self.package_docs {
            let last = end.checked_sub(1).filter(|last| *last < component.len());
            if let Some(last) = last {
                bytes.to_mut()[last] = b'-';
            }
        }
        bytes
    }
}

/// Reads the sections of `component`, which is not validated by this.
pub(super) fn scan(component: &[u8], display: &str) -> Result<Scan, BundleError> {
    let too_complex =
        |what, limit| Err(BundleError::TooComplex { path: display.to_owned(), what, limit });
    let mut scan = Scan::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        let invalid = |error: wasmparser::BinaryReaderError| BundleError::Invalid {
            path: display.to_owned(),
            source: error.into(),
        };
        match payload.map_err(invalid)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(invalid)?;
                    // A type that is only named is nothing the host could link.
                    if !matches!(import.ty, ComponentTypeRef::Type(TypeBounds::Eq(_))) {
                        scan.imports.push(named(import.name.name));
                    }
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export.map_err(invalid)?;
                    if export.kind != ComponentExternalKind::Type {
                        scan.exports.push(named(export.name.name));
                    }
                }
            }
            Payload::CustomSection(section) => match section.name() {
                docs::SECTION if depth == 0 => scan.docs.read(section.data()),
                docs::PACKAGE_SECTION => {
                    scan.package_docs.push(section.data_offset());
                    if depth == 0 {
                        scan.docs.read_package(section.data());
                    }
                }
                _ => {
                    if let KnownCustom::Producers(producers) = section.as_known() {
                        collect(producers, &mut scan.producers);
                    }
                }
            },
            _ => {}
        }
        if depth > MAX_NESTING {
            return too_complex("levels of components", MAX_NESTING);
        }
        if scan.imports.len().max(scan.exports.len()) > MAX_EXTERNS {
            return too_complex("imports or exports", MAX_EXTERNS);
        }
    }
    scan.producers.sort_unstable();
    scan.producers.dedup();
    Ok(scan)
}

/// Returns at most `most` characters of an untrusted text, without what steers or hides but newlines.
pub(super) fn clean(text: &str, most: usize) -> String {
    text.chars().filter(|c| *c == '\n' || !text::hides(*c)).take(most).collect()
}

fn named(name: &str) -> Extern {
    let version = imports::split(name).map(|(_, _, version)| version);
    Extern { name: name.to_owned(), version }
}

/// Adds the producers of one section. What cannot be read is left out: it is only information.
fn collect(section: ProducersSectionReader<'_>, producers: &mut Vec<Producer>) {
    for field in section.into_iter().flatten() {
        for value in field.values.into_iter().flatten() {
            let kept = |text: &str| clean(text, MAX_PRODUCER_CHARS).replace('\n', " ");
            let producer = Producer {
                field: kept(field.name),
                name: kept(value.name),
                version: kept(value.version),
            };
            if producers.len() < MAX_PRODUCERS && !producers.contains(&producer) {
                producers.push(producer);
            }
        }
    }
}
