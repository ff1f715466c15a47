//! The header and the directory of a store; `docs/format.md` draws them.

use std::ops::Range;

use bitcoin::Network;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::p2p::Magic;

use crate::error::StoreError;
use crate::id::{self, BlockHeight};

/// The first eight bytes of every store.
pub const STORE_MAGIC: &[u8; 8] = b"\x89fundtr\n";
/// What this program writes, and the only one so far that it reads.
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 64;
const ENTRY_BYTES: usize = 80;
const NAME_BYTES: usize = 24;
const HASH_BYTES: usize = 32;
const NONE: u32 = u32::MAX;

macro_rules! columns {
    ($($(#[$doc:meta])* $variant:ident $name:literal $width:literal,)*) => {
        /// The columns, in the order in which they stand in a store.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Column {
            $($(#[$doc])* $variant,)*
        }

        impl Column {
            pub(crate) const ALL: [Self; COUNT] = [$(Self::$variant),*];

            /// Its place in [`ALL`](Self::ALL).
            pub(crate) fn at(self) -> usize {
                usize::from(self as u16)
            }

            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            pub(crate) const fn width(self) -> u64 {
                match self { $(Self::$variant => $width),* }
            }
        }

        const COUNT: usize = [$($name),*].len();
    };
}

columns! {
    TxFirstInput "tx_first_input" 5,
    TxFirstOutput "tx_first_output" 5,
    InputPrevout "input_prevout" 5,
    InputValue "input_value" 8,
    InputAddress "input_address" 4,
    OutputValue "output_value" 8,
    OutputAddress "output_address" 4,
    OutputSpender "output_spender" 4,
    BlockHeight "block_height" 4,
    BlockFirstTx "block_first_tx" 4,
    BlockHeader "block_header" 80,
    Txid "txid" 32,
    TxFlags "tx_flags" 1,
    TxVersion "tx_version" 4,
    TxLockTime "tx_lock_time" 4,
    TxWeight "tx_weight" 4,
    TxPosition "tx_position" 4,
    TxTime "tx_time" 4,
    TxidOrder "txid_order" 4,
    TxidPrefix "txid_prefix" 4,
    InputType "input_type" 1,
    InputSpend "input_spend" 2,
    OutputType "output_type" 1,
    AddressLength "address_length" 1,
    AddressFirstByte "address_first_byte" 5,
    AddressBytes "address_bytes" 1,
    AddressFirstOutput "address_first_output" 5,
    AgainAddress "again_address" 4,
    AgainOutput "again_output" 5,
    AddressOrder "address_order" 4,
    AddressPrefix "address_prefix" 4,
    BareOutput "bare_output" 5,
    BareFirstByte "bare_first_byte" 5,
    BareBytes "bare_bytes" 1,
    BareKey "bare_key" 8,
    BareByKey "bare_by_key" 5,
    StubVout "stub_vout" 4,
    SaidUnspent "said_unspent" 5,
    SaidSpent "said_spent" 5,
    SaidSpender "said_spender" 32,
    OverwrittenTx "overwritten_tx" 4,
    OverwrittenHeight "overwritten_height" 4,
    Totals "totals" 8,
}

/// Every how many addresses the place of a script is kept.
pub(crate) const ADDRESS_STRIDE: u64 = 16;
/// Entries of `totals`.
pub(crate) const TOTALS: u64 = 22;

/// The bits k by which a sorted order of `entries` is indexed: about 16 entries for each prefix.
pub(crate) fn prefix_bits(entries: u64) -> u32 {
    (entries / 16).checked_ilog2().unwrap_or(0).min(24)
}

/// What the header counts and declares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    pub(crate) network: Network,
    pub(crate) txs: u32,
    pub(crate) stubs: u32,
    pub(crate) blocks: u32,
    pub(crate) inputs: u64,
    pub(crate) outputs: u64,
    pub(crate) addresses: u32,
    pub(crate) stale: Option<u32>,
    pub(crate) complete: Option<(BlockHeight, BlockHeight)>,
}

/// The header and the directory, read: where each column lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    pub(crate) head: Head,
    columns: [(usize, usize); COUNT],
    hashes: [sha256::Hash; COUNT],
    /// The hash of header and directory, which covers the hashes of all columns.
    pub(crate) hash: sha256::Hash,
}

impl Layout {
    pub(crate) fn range(&self, column: Column) -> Range<usize> {
        let (start, end) = self.columns[column.at()];
        start..end
    }

    pub(crate) fn hash_of(&self, column: Column) -> sha256::Hash {
        self.hashes[column.at()]
    }

    /// How many entries a column has.
    pub(crate) fn entries(&self, column: Column) -> u64 {
        id::number(self.range(column).len()) / column.width()
    }

    /// Reads the header and the directory and checks that the columns can be what they say; their bytes are not read.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, StoreError> {
        let head = bytes.get(..HEAD_BYTES).ok_or(StoreError::Short { bytes: bytes.len() })?;
        if head[..8] != *STORE_MAGIC {
            return Err(StoreError::NotAStore);
        }
        let version = u32_at(head, 8);
        if version != VERSION {
            return Err(StoreError::Version { found: version, reads: VERSION });
        }
        let columns = id::at(u32_at(head, 12));
        // A later version may bring columns; this one has as many as it knows.
        if columns != COUNT {
            return Err(StoreError::Header { what: format!("it lists {columns} columns and not {COUNT}") });
        }
        let listed = HEAD_BYTES + columns * ENTRY_BYTES;
        let start = listed + HASH_BYTES;
        let told = bytes.get(listed..start).ok_or(StoreError::Short { bytes: bytes.len() })?;
        let hash = sha256::Hash::hash(&bytes[..listed]);
        if told != hash.as_byte_array() {
            return Err(StoreError::Column { name: "header" });
        }
        let head = read_head(head)?;
        let mut layout = Self { head, columns: [(0, 0); COUNT], hashes: [hash; COUNT], hash };
        let mut next = id::number(start);
        for (at, column) in Column::ALL.into_iter().enumerate() {
            let entry = &bytes[HEAD_BYTES + at * ENTRY_BYTES..][..ENTRY_BYTES];
            let what = |what: &str| StoreError::Header { what: format!("column {} {what}", column.name()) };
            if entry[..NAME_BYTES] != padded(column.name()) {
                return Err(what("is not where it should be in the directory"));
            }
            let (width, offset, length) = (u64_at(entry, 24), u64_at(entry, 32), u64_at(entry, 40));
            if width != column.width() || length % width != 0 {
                return Err(what("has an impossible width or length"));
            }
            let end = offset.checked_add(length).filter(|end| *end <= id::number(bytes.len()));
            let end = end.ok_or(StoreError::Short { bytes: bytes.len() })?;
            if offset != next {
                return Err(what("does not begin where the one before it ends"));
            }
            layout.columns[at] = (id::at(offset), id::at(end));
            layout.hashes[at] = sha256::Hash::from_slice(&entry[48..80]).expect("32 bytes");
            next = end;
        }
        if next != id::number(bytes.len()) {
            return Err(StoreError::Header { what: format!("{} bytes follow it", id::number(bytes.len()) - next) });
        }
        layout.check_counts()?;
        Ok(layout)
    }

    /// The number of entries that the counts demand of each column.
    fn check_counts(&self) -> Result<(), StoreError> {
        use Column::*;
        let head = &self.head;
        let (t, b, i, o) = (u64::from(head.txs), u64::from(head.blocks), head.inputs, head.outputs);
        let a = u64::from(head.addresses);
        let x = self.entries(BareOutput);
        let demands = [
            (TxFirstInput, t + 1),
            (TxFirstOutput, t + 1),
            (InputPrevout, i),
            (InputValue, i),
            (InputAddress, i),
            (OutputValue, o),
            (OutputAddress, o),
            (OutputSpender, o),
            (BlockHeight, b),
            (BlockFirstTx, b + 1),
            (Txid, t),
            (TxFlags, t),
            (TxVersion, t),
            (TxLockTime, t),
            (TxWeight, t),
            (TxidOrder, t),
            (TxidPrefix, (1 << prefix_bits(t)) + 1),
            (InputType, i),
            (InputSpend, i),
            (OutputType, o),
            (AddressLength, a),
            (AddressFirstByte, a.div_ceil(ADDRESS_STRIDE)),
            (AddressFirstOutput, a),
            (AgainOutput, self.entries(AgainAddress)),
            (AddressOrder, a),
            (AddressPrefix, (1 << prefix_bits(a)) + 1),
            (BareFirstByte, x + 1),
            (BareKey, x),
            (BareByKey, x),
            (SaidSpender, self.entries(SaidSpent)),
            (OverwrittenHeight, self.entries(OverwrittenTx)),
            (Totals, TOTALS),
        ];
        let optional = [(BlockHeader, b), (TxPosition, t), (TxTime, t)];
        let off = demands
            .into_iter()
            .find(|(column, entries)| self.entries(*column) != *entries)
            .or_else(|| optional.into_iter().find(|(column, entries)| ![0, *entries].contains(&self.entries(*column))));
        if let Some((column, entries)) = off {
            let has = self.entries(column);
            let what = format!("column {} has {has} entries where the counts demand {entries}", column.name());
            return Err(StoreError::Header { what });
        }
        if head.stubs > head.txs {
            return Err(StoreError::Header { what: "it counts more stubs than transactions".into() });
        }
        Ok(())
    }
}

/// Writes the header and the directory for columns of these lengths and hashes, in the order of [`Column::ALL`].
pub(crate) fn write(head: &Head, columns: &[(u64, sha256::Hash)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + COUNT * ENTRY_BYTES + HASH_BYTES);
    bytes.extend(STORE_MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(id::small(columns.len()).to_le_bytes());
    bytes.extend(Magic::from(head.network).to_bytes());
    bytes.extend([head.txs, head.stubs, head.blocks].into_iter().flat_map(u32::to_le_bytes));
    bytes.extend([head.inputs, head.outputs].into_iter().flat_map(u64::to_le_bytes));
    let (from, to) = head.complete.map_or((NONE, NONE), |(from, to)| (from.to_u32(), to.to_u32()));
    let rest = [head.addresses, head.stale.unwrap_or(NONE), from, to];
    bytes.extend(rest.into_iter().flat_map(u32::to_le_bytes));
    let mut offset = id::number(HEAD_BYTES + columns.len() * ENTRY_BYTES + HASH_BYTES);
    for (column, (length, hash)) in Column::ALL.into_iter().zip(columns) {
        bytes.extend(padded(column.name()));
        bytes.extend([column.width(), offset, *length].into_iter().flat_map(u64::to_le_bytes));
        bytes.extend(hash.as_byte_array());
        offset += length;
    }
    let hash = sha256::Hash::hash(&bytes);
    bytes.extend(hash.as_byte_array());
    bytes
}

fn read_head(head: &[u8]) -> Result<Head, StoreError> {
    let magic = Magic::from_bytes(head[16..20].try_into().expect("4 bytes"));
    let network = Network::try_from(magic)
        .map_err(|_| StoreError::Header { what: format!("its network magic {magic} is of no known network") })?;
    let known = |number: u32| Some(number).filter(|number| *number != NONE);
    let height = |offset| known(u32_at(head, offset)).map(BlockHeight::from_u32);
    Ok(Head {
        network,
        txs: u32_at(head, 20),
        stubs: u32_at(head, 24),
        blocks: u32_at(head, 28),
        inputs: u64_at(head, 32),
        outputs: u64_at(head, 40),
        addresses: u32_at(head, 48),
        stale: known(u32_at(head, 52)),
        complete: height(56).zip(height(60)),
    })
}

fn padded(name: &str) -> [u8; NAME_BYTES] {
    let mut padded = [0; NAME_BYTES];
    padded[..name.len()].copy_from_slice(name.as_bytes());
    padded
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes[offset..offset + 4].try_into().expect("4 bytes"))
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().expect("8 bytes"))
}
