//! An allocator that weighs: the largest single allocation of this thread while something is watched.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// The system's allocator, with a scale before it.
pub struct Scale;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn weigh(size: usize) {
    // A thread that ends has no scale any more.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
}

// SAFETY: every call is passed on to the system's allocator as it is; the cell does not allocate.
unsafe impl GlobalAlloc for Scale {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        weigh(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        weigh(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        weigh(size);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// What `read` returns, and the largest allocation that it made on this thread, in bytes.
pub fn largest<T>(read: impl FnOnce() -> T) -> (T, usize) {
    LARGEST.set(0);
    let made = read();
    (made, LARGEST.get())
}

#[test]
fn the_scale_weighs() {
    let (vector, bytes) = largest(|| std::hint::black_box(vec![7u8; 123_457]));
    assert_eq!((vector.len(), bytes), (123_457, 123_457));
    assert!(largest(|| 3).1 == 0);
}
