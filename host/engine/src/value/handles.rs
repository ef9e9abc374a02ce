//! The resources a caller holds by number.

use std::collections::BTreeMap;
use wasmtime::component::{ResourceAny, ResourceType};

/// What a resource whose type was given no name is called.
const UNNAMED: &str = "resource";

/// The resources that a session's caller may name, by opaque number. Numbers are never reused.
#[derive(Debug, Default)]
pub struct Handles {
    last: u64,
    open: BTreeMap<u64, ResourceAny>,
    names: Vec<(ResourceType, String)>,
}

impl Handles {
    /// Returns an empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says what resources of type `ty` are called in JSON. The first name given stays.
    pub fn name_type(&mut self, ty: ResourceType, name: impl Into<String>) {
        if !self.names.iter().any(|(known, _)| *known == ty) {
            self.names.push((ty, name.into()));
        }
    }

    /// Puts a resource into the table and returns its number.
    pub fn insert(&mut self, resource: ResourceAny) -> u64 {
        self.last += 1;
        self.open.insert(self.last, resource);
        self.last
    }

    /// Takes a resource out of the table, to drop it.
    pub fn remove(&mut self, handle: u64) -> Option<ResourceAny> {
        self.open.remove(&handle)
    }

    /// Takes every resource out of the table, to drop them when the session ends.
    pub fn drain(&mut self) -> Vec<ResourceAny> {
        std::mem::take(&mut self.open).into_values().collect()
    }

    /// Returns how many resources are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Tells whether no resource is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Returns what resources of type `ty` are called.
    pub fn type_name(&self, ty: ResourceType) -> &str {
        let named = self.names.iter().find(|(known, _)| *known == ty);
        named.map_or(UNNAMED, |(_, name)| name)
    }

    pub(super) fn find(&self, handle: u64) -> Option<ResourceAny> {
        self.open.get(&handle).copied()
    }

    /// Puts back what [`Handles::remove`] took, under its old number.
    pub(super) fn put_back(&mut self, handle: u64, resource: ResourceAny) {
        self.open.insert(handle, resource);
    }
}
