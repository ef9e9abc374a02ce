//! Gets a bundle from where it is: a file, a directory that is packed, a registry.

use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use ringfence_bundle::archive::Sealed;
use ringfence_bundle::{Form, Opened, open_any};
use ringfence_store::Source;

use super::room;
use crate::commands::pack;
use crate::error::CliError;

/// Reads what the operator named: a path, or `oci:REFERENCE`.
pub(super) fn source(word: &str) -> Result<Source, CliError> {
    if let Some(reference) = word.strip_prefix("oci:") {
        let reference = reference.trim_start_matches('/');
        return Ok(format!("oci:{reference}").parse()?);
    }
    let fail = |source| CliError::File { what: "bundle", path: word.to_owned(), source };
    let is_dir = std::fs::metadata(word).map_err(fail)?.is_dir();
    let path = std::path::absolute(word).map_err(fail)?;
    let path = path.to_str().ok_or_else(|| {
        CliError::Usage(format!("`{word}` is no text, so that no receipt can name it"))
    })?;
    let kind = if is_dir { "directory" } else { "file" };
    Ok(format!("{kind}:{path}").parse()?)
}

/// Returns the bundle at `source`. A directory without a `SHA256SUMS` is packed, and not signed.
pub(super) fn fetch(source: &Source) -> Result<Sealed, CliError> {
    match source {
        Source::File(path) | Source::Directory(path) => local(Path::new(path)),
        #[cfg(feature = "oci")]
        Source::Oci(reference) => crate::commands::registry::fetch(reference),
        #[cfg(not(feature = "oci"))]
        Source::Oci(reference) => Err(CliError::Usage(format!(
            "`oci:{reference}` cannot be fetched: this program was built without registries"
        ))),
    }
}

fn local(path: &Path) -> Result<Sealed, CliError> {
    let display = path.display().to_string();
    let fail = |source| CliError::File { what: "bundle", path: display.clone(), source };
    let whole = || Dir::open_ambient_dir(path, ambient_authority());
    let opened = match (path.parent(), path.file_name().and_then(|name| name.to_str())) {
        (Some(parent), Some(name)) => {
            let dir = Dir::open_ambient_dir(parent, ambient_authority()).map_err(fail)?;
            open_any(&dir, name, &display)
        }
        _ => open_any(&whole().map_err(fail)?, ".", &display),
    };
    match opened.map_err(room)? {
        Opened::Sealed(sealed) => Ok(sealed),
        Opened::Plain(plugin) if plugin.form == Form::Directory => pack::directory(path),
        Opened::Plain(_) => Err(CliError::Usage(format!(
            "`{display}` has no name and no version: put a `plugin.toml` beside it and install the directory"
        ))),
    }
}
