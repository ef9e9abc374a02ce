//! The list of the project: primary and standards sources, each with its reason. No list of news
//! sources rates them, because they are no news. It is short on purpose.

/// What the list holds for one domain.
pub(super) struct Entry {
    /// The domain, or a host below it.
    pub(super) domain: &'static str,
    /// Why it is a primary source.
    pub(super) reason: &'static str,
}

const fn entry(domain: &'static str, reason: &'static str) -> Entry {
    Entry { domain, reason }
}

/// When the list was last looked through.
pub(super) const AS_OF: &str = "2026-11-28";

pub(super) const PRIMARY: &[Entry] = &[
    entry("ietf.org", "publishes the internet standards (RFC) themselves"),
    entry("rfc-editor.org", "the archive of record of the RFC series"),
    entry("w3.org", "publishes the standards of the web themselves"),
    entry("whatwg.org", "publishes the living standards of HTML, DOM and URL"),
    entry("iso.org", "the catalogue of record of ISO standards"),
    entry("itu.int", "publishes the standards of telecommunication themselves"),
    entry("unicode.org", "publishes the Unicode standard and its data"),
    entry("ecma-international.org", "publishes ECMA standards themselves"),
    entry("iana.org", "the registry of protocol numbers and names"),
    entry("bytecodealliance.org", "maintains the component model and WASI"),
    entry("webassembly.org", "publishes the WebAssembly specification"),
    entry("wasi.dev", "publishes the WASI interfaces"),
    entry("nist.gov", "publishes FIPS and NIST standards and measurements"),
    entry("bipm.org", "defines the units of measurement"),
    entry("cve.org", "the registry of record of vulnerabilities"),
    entry("rustsec.org", "the registry of record of advisories for Rust crates"),
    entry("doc.rust-lang.org", "the documentation of the language by its authors"),
    entry("docs.rs", "documentation generated from the published source of crates"),
    entry("docs.python.org", "the documentation of the language by its authors"),
    entry("kernel.org", "the source of the Linux kernel and its documentation"),
    entry("modelcontextprotocol.io", "publishes the protocol itself"),
    entry("opentelemetry.io", "publishes the telemetry specification itself"),
    entry("sqlite.org", "the documentation of the database by its authors"),
    entry("arxiv.org", "preprints as their authors wrote them; not reviewed"),
    entry("doi.org", "resolves to the publication of record"),
    entry("europa.eu", "the law and the statistics of the European Union themselves"),
    entry("un.org", "the documents of record of the United Nations"),
    entry("who.int", "the data and guidelines of the World Health Organization"),
    entry("worldbank.org", "the data of record of the World Bank"),
    entry("oecd.org", "the data of record of the OECD"),
    entry("loc.gov", "the collections of the Library of Congress"),
    entry("legislation.gov.uk", "the law of the United Kingdom itself"),
];
