//! Deciding takes no memory. A file of its own, because it replaces the allocator of the whole
//! process.
#![allow(
    unsafe_code,
    reason = "an allocator cannot be written without; this one counts and passes on"
)]
#![allow(clippy::unwrap_used, reason = "tests")]

use ringfence_capability::Profile;
use ringfence_policy::{Answers, Policy};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system allocator unchanged; the counter does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(run: impl FnOnce()) -> u64 {
    let before = COUNT.with(Cell::get);
    run();
    COUNT.with(Cell::get) - before
}

#[test]
fn deciding_does_not_allocate() {
    let answers = Answers::from_flags(["env:HOME"]).unwrap();
    for profile in Profile::ALL {
        let policy = Policy::new(profile, Vec::new());
        for request in [
            "fs.read:workspace/docs",
            "fs.write:workspace/a/.git/hooks",
            "fs.write:workspace/caf\u{e9}/out",
            "http.write:*.example.org:8080",
            "socket:[::1]:53",
            "env:HOME",
            "secret:key@api.example.org",
            "exec:rg word src",
            "exec:rg -n **",
            "exec:cargo test \"caf\u{e9} au lait\"",
            "exec:STRA\u{df}E.exe -**",
        ] {
            let capability = Answers::capability(request).unwrap();
            let mut verdict = None;
            assert_eq!(
                allocations(|| verdict = Some(policy.decide(&capability, &answers))),
                0,
                "{request}"
            );
            assert!(verdict.is_some());
        }
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}
