//! Sub-multisets of coins as fields of one word.
//!
//! Every class of equal coins has a field wide enough for its count, and one guard bit above it. `a` is part of `b` when `b - a` with
//! all guards set borrows none of them. Invariant: 32 coins fit 64 bits, because a class of c coins takes at most 2 c bits.

use crate::id;

/// Coins of one value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Class {
    pub(super) value: u128,
    pub(super) count: u32,
}

/// More coins do not fit.
pub(super) const COINS_MAX: usize = 32;

/// How sub-multisets of some classes are packed.
pub(super) struct Packing {
    fields: Vec<Field>,
    guards: u64,
}

struct Field {
    shift: u32,
    mask: u64,
}

/// A sub-multiset with its sum.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) sum: u128,
    pub(super) word: u64,
}

impl Packing {
    pub(super) fn of(classes: &[Class]) -> Self {
        let (mut shift, mut guards) = (0, 0);
        let mut fields = Vec::with_capacity(classes.len());
        for class in classes {
            let bits = u32::BITS - class.count.leading_zeros();
            fields.push(Field { shift, mask: (1 << bits) - 1 });
            guards |= 1 << (shift + bits);
            shift += bits + 1;
        }
        assert!(shift <= u64::BITS, "the caller keeps to COINS_MAX");
        Self { fields, guards }
    }

    /// How many of a class are in it.
    #[inline]
    pub(super) fn count(&self, word: u64, class: usize) -> u32 {
        id::low((word >> self.fields[class].shift) & self.fields[class].mask)
    }

    pub(super) fn one(&self, class: usize) -> u64 {
        1 << self.fields[class].shift
    }

    #[inline]
    pub(super) fn is_part(&self, part: u64, whole: u64) -> bool {
        ((whole | self.guards) - part) & self.guards == self.guards
    }

    pub(super) fn whole(&self, classes: &[Class]) -> u64 {
        classes.iter().zip(&self.fields).map(|(class, field)| u64::from(class.count) << field.shift).sum()
    }

    /// Every sub-multiset, by sum.
    pub(super) fn parts(&self, classes: &[Class]) -> Vec<Part> {
        let mut parts = vec![Part { sum: 0, word: 0 }];
        for (class, field) in classes.iter().zip(&self.fields) {
            let before = parts.len();
            for count in 1..=class.count {
                for at in 0..before {
                    let Part { sum, word } = parts[at];
                    let sum = sum + class.value * u128::from(count);
                    parts.push(Part { sum, word: word | u64::from(count) << field.shift });
                }
            }
        }
        parts.sort_unstable_by_key(|part| (part.sum, part.word));
        parts
    }
}
