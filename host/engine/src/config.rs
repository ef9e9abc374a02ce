//! The one place that configures wasmtime. Compiled code is only valid for exactly this.

use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How memory for instances is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "there are two strategies")]
pub enum Allocation {
    /// Mapped when needed: nothing to set up, for one run per process.
    #[default]
    OnDemand,
    /// Slots reserved beforehand and reused: for serving.
    Pooled,
}

/// Runs alive at once in a pool, unless told otherwise. Each reserves address space, not memory.
pub(crate) const POOL_SLOTS: u32 = 64;
/// Elements of each pooled table: far above the limit of a run, which is what an error names.
const POOL_TABLE_ELEMENTS: usize = 4_000_000;
/// Tables and memories of each pooled module: as above.
const POOL_PER_MODULE: u32 = 1_000;
/// Bytes of each pooled memory and table kept mapped between uses, so that a warm slot takes no page faults.
const KEEP_RESIDENT_BYTES: usize = 256 * 1024;
/// Room for host frames beside the guest's stack.
const HOST_STACK_BYTES: usize = 1024 * 1024;

/// Returns the configuration of every engine. `stack_bytes` and `allocation` do not change the
/// compiled code, so both share the cache.
pub(crate) fn engine_config(stack_bytes: usize, allocation: Allocation, slots: u32) -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.wasm_component_model_async(true);
    // Not needed by any guest language here, and each is code an attacker could reach.
    config.wasm_memory64(false);
    config.wasm_component_model_memory64(false);
    config.epoch_interruption(true);
    config.max_wasm_stack(stack_bytes);
    config.async_stack_size(stack_bytes.saturating_add(HOST_STACK_BYTES));
    // Only debuggers read it; leaving it out makes a compiled file smaller and quicker to map.
    config.native_unwind_info(false);
    config.generate_address_map(false);
    if allocation == Allocation::Pooled {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(slots)));
    }
    config
}

/// Returns a pool for this many runs at once. It bounds how many there are, never how large one is:
/// that is for the limits of a run, so that the error names the limit. A memory may have the 4 GiB of
/// 32-bit WebAssembly, which each slot reserves anyway.
fn pool(slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots);
    pool.total_core_instances(slots.saturating_mul(8));
    pool.total_memories(slots.saturating_mul(2));
    pool.total_tables(slots.saturating_mul(4));
    pool.total_stacks(slots.saturating_mul(2));
    pool.table_elements(POOL_TABLE_ELEMENTS);
    pool.max_tables_per_module(POOL_PER_MODULE);
    pool.max_memories_per_module(POOL_PER_MODULE);
    pool.linear_memory_keep_resident(KEEP_RESIDENT_BYTES);
    pool.table_keep_resident(KEEP_RESIDENT_BYTES);
    // Without the kernel's dirty-page scan keeping pages means clearing all of them: slower.
    pool.pagemap_scan(wasmtime::Enabled::Auto);
    pool
}
