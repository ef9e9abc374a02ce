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

/// Instances alive at once when serving; more wait. Each reserves address space, not memory.
const POOL_SLOTS: u32 = 64;
/// Bytes of each pooled memory and table kept mapped between uses, so that a warm slot takes no page faults.
const KEEP_RESIDENT_BYTES: usize = 256 * 1024;
/// Room for host frames beside the guest's stack.
const HOST_STACK_BYTES: usize = 1024 * 1024;

/// Returns the configuration of every engine. `stack_bytes` and `allocation` do not change the
/// compiled code, so both share the cache.
pub(crate) fn engine_config(
    stack_bytes: usize,
    allocation: Allocation,
    memory_bytes: usize,
) -> Config {
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
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(memory_bytes)));
    }
    config
}

fn pool(memory_bytes: usize) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(POOL_SLOTS);
    pool.total_core_instances(POOL_SLOTS * 8);
    pool.total_memories(POOL_SLOTS * 2);
    pool.total_tables(POOL_SLOTS * 4);
    pool.total_stacks(POOL_SLOTS * 2);
    pool.max_memory_size(memory_bytes);
    pool.linear_memory_keep_resident(KEEP_RESIDENT_BYTES);
    pool.table_keep_resident(KEEP_RESIDENT_BYTES);
    // Without the kernel's dirty-page scan keeping pages means clearing all of them: slower.
    pool.pagemap_scan(wasmtime::Enabled::Auto);
    pool
}
