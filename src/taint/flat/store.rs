//! Lists of any length in one vector: what is given back is used again.

use crate::id;

/// Where a list lies; the default is the empty list, which lies nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Handle {
    at: u32,
    len: u32,
}

impl Handle {
    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// Lists of entries. Room is given out in powers of two and kept by size when it comes back, so that memory grows with what is
/// held at one time and not with what was ever held.
#[derive(Debug)]
pub(super) struct Store<T> {
    entries: Vec<T>,
    /// Free room, by the power of two.
    free: Vec<Vec<u32>>,
}

impl<T: Copy + Default> Store<T> {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), free: vec![Vec::new(); 33] }
    }

    #[inline]
    fn class(len: u32) -> usize {
        id::at(len.next_power_of_two().trailing_zeros())
    }

    #[inline]
    pub(super) fn put(&mut self, list: &[T]) -> Handle {
        if list.is_empty() {
            return Handle::default();
        }
        let len = id::small(list.len());
        let class = Self::class(len);
        let at = self.free[class].pop().unwrap_or_else(|| {
            let at = self.entries.len();
            assert!(at < id::at(u32::MAX), "a run holds fewer than 2^32 pieces of taint at a time");
            self.entries.resize(at + (1 << class), T::default());
            id::small(at)
        });
        self.entries[id::at(at)..][..list.len()].copy_from_slice(list);
        Handle { at, len }
    }

    #[inline]
    pub(super) fn get(&self, list: Handle) -> &[T] {
        &self.entries[id::at(list.at)..][..id::at(list.len)]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, list: Handle) -> &mut [T] {
        &mut self.entries[id::at(list.at)..][..id::at(list.len)]
    }

    #[inline]
    pub(super) fn free(&mut self, list: Handle) {
        if !list.is_empty() {
            self.free[Self::class(list.len)].push(list.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_that_comes_back_is_used_again() {
        let mut store = Store::new();
        let first = store.put(&[1, 2, 3]);
        let second = store.put(&[4]);
        store.free(first);
        let third = store.put(&[5, 6, 7, 8]);
        assert_eq!((store.get(second), store.get(third)), (&[4][..], &[5, 6, 7, 8][..]));
        assert_eq!(store.entries.len(), 5);
    }
}
