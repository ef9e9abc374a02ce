//! The plugins that `mcp serve` offers, and what becomes of them while it runs: an installed plugin that is
//! updated is offered anew, one that is removed is no longer offered, and with `--installed` one that
//! comes is offered too.
//!
//! Each is decided about as when the server started, with the same flags: a plugin that now asks for
//! more than those give is not offered. Nobody is asked anything here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use ringfence::{Digest, Host, OfferedPlugin, OutsideServers, Plugin, Toolbox};
use ringfence_store::Store;

use crate::args::{Global, McpServe};
use crate::error::CliError;
use crate::print::Printer;
use crate::{flags, named, places};

/// How often is looked whether something was installed or removed.
const EVERY: Duration = Duration::from_secs(1);

/// The plugins of one server.
pub(super) struct Plugins<'a> {
    pub(super) host: &'a Host,
    pub(super) args: &'a McpServe,
    pub(super) global: &'a Global,
    pub(super) printer: &'a Printer,
    pub(super) runtime: &'a tokio::runtime::Handle,
    /// The outside servers that plugins may be granted tools of.
    pub(super) held: &'a OutsideServers,
}

/// What is offered, by the words that stand for it.
#[derive(Default)]
pub(super) struct Offered {
    /// Paths: they stay what they were when the server started.
    fixed: Vec<OfferedPlugin>,
    /// The words on the command line that are names of installed plugins.
    words: Vec<String>,
    /// Names of installed plugins, and what was found under each. Where it could not be offered there is
    /// no plugin.
    followed: BTreeMap<String, (Digest, Option<OfferedPlugin>)>,
}

impl Offered {
    /// Returns everything that is offered.
    pub(super) fn all(&self) -> Vec<OfferedPlugin> {
        let followed = self.followed.values().filter_map(|(_, plugin)| plugin.clone());
        self.fixed.iter().cloned().chain(followed).collect()
    }

    /// Tells whether anything of it can change.
    pub(super) fn changes(&self, args: &McpServe) -> bool {
        args.installed || !self.words.is_empty()
    }
}

impl Plugins<'_> {
    /// Opens and decides about everything that was named.
    ///
    /// # Errors
    /// When one that was named cannot be offered. One that is only installed is left out.
    pub(super) fn open(&self) -> Result<Offered, CliError> {
        let mut offered = Offered::default();
        for word in &self.args.plugins {
            let name = word.to_str().filter(|_| named::is_name(word, self.global).unwrap_or(false));
            let found = match name {
                Some(name) => named::installed(name, self.global)?.map(|found| (name, found.1)),
                None => None,
            };
            if let Some((name, digest)) = found {
                let plugin = self.offer_installed(name)?;
                offered.followed.insert(name.to_owned(), (digest, plugin));
                offered.words.push(name.to_owned());
            } else {
                let plugin = named::open(self.host, word, self.global)?;
                offered.fixed.push(self.offer(&plugin)?);
            }
        }
        self.look(&mut offered);
        Ok(offered)
    }

    /// Looks again and again, until `end` is gone, and has `tools` offer what there is.
    pub(super) fn follow(&self, mut offered: Offered, tools: &Toolbox, end: &Receiver<()>) {
        while let Err(RecvTimeoutError::Timeout) = end.recv_timeout(EVERY) {
            if !self.look(&mut offered) {
                continue;
            }
            let all = offered.all();
            let wanted = all.len();
            let left_out = tools.replace(all);
            for (plugin, error) in &left_out {
                self.leave_out(plugin.name(), error);
            }
            let number = wanted - left_out.len();
            self.printer.note(&format!("{number} plugins are offered now"));
        }
    }

    /// Takes in what is installed now; tells whether anything is other than it was.
    fn look(&self, offered: &mut Offered) -> bool {
        let now = self.now(offered);
        let before = offered.followed.len();
        offered.followed.retain(|word, _| now.contains_key(word));
        let mut changed = offered.followed.len() != before;
        for (word, digest) in now {
            if offered.followed.get(&word).is_some_and(|(known, _)| *known == digest) {
                continue;
            }
            let plugin = self.offer_installed(&word);
            if let Err(error) = &plugin {
                self.leave_out(&word, error);
            }
            changed = true;
            offered.followed.insert(word, (digest, plugin.ok().flatten()));
        }
        changed
    }

    /// Returns what is installed under the words that are followed; with `--installed` also all else, but
    /// what has the name of a plugin that was named by its path.
    fn now(&self, offered: &Offered) -> BTreeMap<String, Digest> {
        let found = |word: &String| {
            let (name, digest) = named::installed(word, self.global).ok().flatten()?;
            Some((word.clone(), name, digest))
        };
        let named: Vec<_> = offered.words.iter().filter_map(found).collect();
        let mut now: BTreeMap<_, _> =
            named.iter().map(|(word, _, digest)| (word.clone(), *digest)).collect();
        if self.args.installed {
            let known = |name: &String| {
                named.iter().any(|(_, known, _)| known == name)
                    || offered.fixed.iter().any(|plugin| plugin.name() == name)
            };
            let others = self.names().into_iter().filter(|name| !known(name));
            now.extend(
                others.filter_map(|name| found(&name).map(|(word, _, digest)| (word, digest))),
            );
        }
        now
    }

    fn names(&self) -> Vec<String> {
        let store =
            places::data(self.global).ok().and_then(|path| Store::look(&path).ok().flatten());
        store.and_then(|store| store.names().ok()).unwrap_or_default()
    }

    /// Offers an installed plugin; nothing when it is gone again.
    fn offer_installed(&self, word: &str) -> Result<Option<OfferedPlugin>, CliError> {
        let plugin = named::open_installed(self.host, word, self.global)?;
        plugin.map(|plugin| self.offer(&plugin)).transpose()
    }

    fn offer(&self, plugin: &Plugin) -> Result<OfferedPlugin, CliError> {
        let mut options = flags::options(&self.args.grants, self.global)?;
        let (approver, at_client) = super::serve::approver(self.args.approver);
        options.native = super::super::native::options(approver, self.global)?;
        options.native.at_client = at_client;
        options.outside = Some(self.held.clone());
        let offered = self.host.offer(plugin, options)?;
        Ok(self.runtime.block_on(offered.with_resources())?)
    }

    fn leave_out(&self, what: &str, error: &dyn std::error::Error) {
        let why = crate::print::visible(&ringfence_capability::with_causes(error));
        self.printer.note(&format!("`{what}` is not offered: {why}"));
    }
}

/// Returns what is offered and whether it can change, as one registry of tools.
pub(super) fn toolbox(offered: &Offered, args: &McpServe) -> Result<Arc<Toolbox>, CliError> {
    let tools = Toolbox::new(&offered.all())?;
    Ok(Arc::new(if offered.changes(args) { tools.changing() } else { tools }))
}
