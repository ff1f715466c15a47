//! The names of things inside one frozen chain, and block heights.
//!
//! An index is a position in one [`Chain`](crate::chain::Chain) and means nothing in another; what leaves the process is
//! named by txid and vout. Transactions are numbered in chain order, so `a < b` says that `a` stands before `b`.
//! A transaction index is 32 bits (4.2 billion transactions), output and input indexes are 64 bits: the outputs of the
//! main chain are close to what 32 bits can count.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! index {
    ($(#[$doc:meta])* $name:ident, $int:ty, $from:ident, $to:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
        pub struct $name($int);

        impl $name {
            /// Makes the index from its number.
            #[inline]
            pub const fn $from(number: $int) -> Self {
                Self(number)
            }

            /// Returns the number.
            #[inline]
            pub const fn $to(self) -> $int {
                self.0
            }

            /// The position in a slice. Every target we support has at least 64-bit pointers or a chain that fits.
            #[allow(dead_code, reason = "not every index is used as a position yet; one macro serves all")]
            #[inline]
            pub(crate) const fn at(self) -> usize {
                self.0 as usize
            }

            #[allow(dead_code, reason = "as above")]
            #[inline]
            pub(crate) const fn of(position: usize) -> Self {
                Self(position as $int)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

index!(
    /// A transaction's position in chain order.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::TxIndex;
    /// assert!(TxIndex::from_u32(3) < TxIndex::from_u32(4));
    /// ```
    TxIndex, u32, from_u32, to_u32
);
index!(
    /// An output's position: the outputs of transaction 0, then those of transaction 1, and so on.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::OutputIndex;
    /// assert_eq!(OutputIndex::from_u64(7).to_u64(), 7);
    /// ```
    OutputIndex, u64, from_u64, to_u64
);
index!(
    /// An input's position: the inputs of transaction 0, then those of transaction 1, and so on.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::id::InputIndex;
    /// assert_eq!(InputIndex::from_u64(7).to_u64(), 7);
    /// ```
    InputIndex, u64, from_u64, to_u64
);
index!(
    /// An address, numbered by first appearance in chain order.
    ///
    /// Two scripts can share one: a pay-to-pubkey output counts as the P2PKH address of its key bytes as serialised.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::AddressIndex;
    /// assert_eq!(AddressIndex::from_u32(7).to_u32(), 7);
    /// ```
    AddressIndex, u32, from_u32, to_u32
);
index!(
    /// A cluster of addresses, numbered by its first address.
    ///
    /// It is a position in one partition: other rules or another height number anew. The name that lasts is the cluster's first address.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::id::ClusterIndex;
    /// assert_eq!(ClusterIndex::from_u32(7).to_u32(), 7);
    /// ```
    ClusterIndex, u32, from_u32, to_u32
);
index!(
    /// A source of taint (a theft, a victim, a label of the analyst's), numbered in the order the seeds were given.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::SourceIndex;
    /// assert_eq!(SourceIndex::from_u32(0).to_string(), "0");
    /// ```
    SourceIndex, u32, from_u32, to_u32
);

index!(
    /// An owner whose truth is known: a person, a firm, a thief of a simulated world or of a labelled data set.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::EntityIndex;
    /// assert_eq!(EntityIndex::from_u32(7).to_u32(), 7);
    /// ```
    EntityIndex, u32, from_u32, to_u32
);
index!(
    /// A theft whose true route is known.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::id::TheftIndex;
    /// assert_eq!(TheftIndex::from_u32(0).to_string(), "0");
    /// ```
    TheftIndex, u32, from_u32, to_u32
);

/// A block's height: the genesis block has height 0.
///
/// # Examples
///
/// ```
/// use fundtrace::BlockHeight;
/// assert_eq!(BlockHeight::from_u32(686_683).to_string(), "686683");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlockHeight(u32);

impl BlockHeight {
    /// Makes the height from its number of blocks above genesis.
    pub const fn from_u32(height: u32) -> Self {
        Self(height)
    }

    /// Returns the number of blocks above genesis.
    pub const fn to_u32(self) -> u32 {
        self.0
    }
}

impl fmt::Display for BlockHeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A count or offset that is known to address memory we hold, as a position in it.
#[inline]
pub(crate) fn at(number: impl Into<u64>) -> usize {
    number.into() as usize
}

/// A position in memory that a column writes in five bytes.
#[inline]
pub(crate) fn at_five(bytes: [u8; 5]) -> usize {
    let mut number = [0; 8];
    number[..5].copy_from_slice(&bytes);
    u64::from_le_bytes(number) as usize
}

/// A position in memory as a number for a column.
#[inline]
pub(crate) const fn number(position: usize) -> u64 {
    position as u64
}

/// A position that is known to fit 32 bits, as a number for a column.
#[inline]
pub(crate) const fn small(position: usize) -> u32 {
    position as u32
}

/// The upper half of a word that holds two numbers.
#[inline]
pub(crate) const fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

/// The lower half of a word that holds two numbers.
#[inline]
pub(crate) const fn low(word: u64) -> u32 {
    word as u32
}
