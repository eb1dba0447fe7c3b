//! The sizes of the parts of a segment that stay in a cache, by the caches of the processor.

use std::sync::OnceLock;

/// How many bytes are sieved at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Caches {
    /// With the frequent primes: they fit into a first-level cache, beside the tables and lists.
    pub(super) block: usize,
    /// With the medium primes: they fit into a part of a second-level cache.
    pub(super) blocks: usize,
}

/// For 32 KiB and 1 MiB, if the caches are not known.
const DEFAULT: Caches = Caches { block: 24 << 10, blocks: 512 << 10 };

/// What a cache of a core has.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "only made by the tests"))]
struct Cache {
    level: u8,
    bytes: usize,
    /// How many threads of the processor may share it, at most.
    threads: usize,
}

impl Caches {
    /// Returns those of the processor that this runs on.
    pub(super) fn of_this_machine() -> Self {
        static CACHES: OnceLock<Caches> = OnceLock::new();
        *CACHES.get_or_init(|| Self::of(data_caches()))
    }

    fn of(caches: impl IntoIterator<Item = Cache>) -> Self {
        let mut found = DEFAULT;
        for Cache { level, bytes, threads } in caches {
            match level {
                // Virtual machines may tell anything, also 0.
                1 => found.block = (bytes / 4 * 3).clamp(12 << 10, 96 << 10) >> 10 << 10,
                2 => found.blocks = (bytes / threads.max(2)).clamp(128 << 10, 1 << 20) >> 10 << 10,
                _ => {}
            }
        }
        found
    }
}

/// Reads the caches by an instruction, which needs no `/sys` and works in containers. Not on 32-bit x86, where
/// the crate has it only if the target has SSE.
#[cfg(target_arch = "x86_64")]
fn data_caches() -> Vec<Cache> {
    use raw_cpuid::{CacheType, CpuId};

    let caches = CpuId::new().get_cache_parameters().into_iter().flatten();
    let has_data = caches.filter(|cache| matches!(cache.cache_type(), CacheType::Data | CacheType::Unified));
    let caches = has_data.map(|cache| Cache {
        level: cache.level(),
        bytes: [cache.associativity(), cache.physical_line_partitions(), cache.coherency_line_size(), cache.sets()]
            .into_iter()
            .fold(1, usize::saturating_mul),
        threads: cache.max_cores_for_cache(),
    });
    caches.collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn data_caches() -> Vec<Cache> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_follow_the_caches() {
        let cache = |level, kib: usize, threads| Cache { level, bytes: kib << 10, threads };
        assert_eq!(Caches::of([]), DEFAULT);
        assert_eq!(Caches::of([cache(1, 32, 2), cache(2, 1024, 2), cache(3, 32 << 10, 16)]), DEFAULT);
        let large = Caches::of([cache(1, 48, 2), cache(2, 2048, 2)]);
        assert_eq!(large, Caches { block: 36 << 10, blocks: 1 << 20 });
        // A cache that several cores share.
        assert_eq!(Caches::of([cache(2, 4096, 8)]), Caches { blocks: 512 << 10, ..DEFAULT });
    }

    proptest! {
        #[test]
        fn no_answer_of_a_virtual_machine_makes_sizes_that_are_not_possible(
            caches in prop::collection::vec((0u8..5, any::<usize>(), any::<usize>()), 0..5)
        ) {
            let caches = caches.into_iter().map(|(level, bytes, threads)| Cache { level, bytes, threads });
            let Caches { block, blocks } = Caches::of(caches);
            prop_assert!((12 << 10..=96 << 10).contains(&block) && block % 1024 == 0);
            prop_assert!((128 << 10..=1 << 20).contains(&blocks) && blocks % 1024 == 0);
        }
    }

    #[test]
    fn this_machine_has_caches_of_a_usual_size() {
        let Caches { block, blocks } = Caches::of_this_machine();
        assert!(block < blocks);
    }
}
