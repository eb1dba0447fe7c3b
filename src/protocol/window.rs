//! The default window: how many items may be in flight unless the user sets it.

/// Heap memory assumed for an item whose type has a destructor.
const HEAP_BYTES: usize = 128;

/// The default window holds as many items as fit into this many bytes, but at most [`DEFAULT_WINDOW_MAX`].
const DEFAULT_WINDOW_BYTES: usize = 512 * 1024;
const DEFAULT_WINDOW_MAX: usize = 65_536;
const DEFAULT_WINDOW_MIN_PER_WORKER: usize = 16;

/// Estimates the memory of a value of type `T`, with what it owns on the heap.
pub(crate) fn bytes_of<T>() -> usize {
    size_of::<T>() + if std::mem::needs_drop::<T>() { HEAP_BYTES } else { 0 }
}

/// The default window for items or results of `bytes` each.
pub(crate) fn default_window(bytes: usize, workers: usize) -> usize {
    let least = workers.saturating_mul(DEFAULT_WINDOW_MIN_PER_WORKER);
    (DEFAULT_WINDOW_BYTES / bytes.max(1)).min(DEFAULT_WINDOW_MAX).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_window_holds_as_many_items_as_fit_into_its_bytes() {
        assert_eq!((bytes_of::<u64>(), bytes_of::<()>()), (8, 0));
        assert_eq!(bytes_of::<Vec<u8>>(), size_of::<Vec<u8>>() + 128, "it owns heap memory");
        assert_eq!(default_window(8, 2), 65_536);
        assert_eq!(default_window(0, 2), 65_536);
        assert_eq!(default_window(1024 * 1024, 2), 32);
    }
}
