//! Transactions frozen into columns, and the views that every question is asked of.
//!
//! Build a [`Chain`] with a [`ChainBuilder`] from the owned records ([`NewTx`]) that a [`source`](crate::source) yields,
//! then ask through a [`View`]: of the whole chain, or as of a height. A view is two words and `Copy`; [`Tx`], [`Input`]
//! and [`Output`] are cursors on it.
//!
//! # What is known, and how well
//!
//! - A transaction whose bytes were given is *proven*: its txid is their hash. One that a source described without all
//!   the bytes its txid covers is *claimed*.
//! - A prevout's value and script are proven where the previous transaction is there and proven, otherwise claimed or
//!   unknown. Heights, positions and times are always claims.
//! - A transaction that nobody supplied but that a supplied one spends is a *stub*: it has no inputs, and only those of
//!   its outputs that are spent here. Stubs stand before everything else.
//!
//! [`Chain::counts`] counts each kind.

mod builder;
mod columns;
mod counts;
mod cursor;
mod format;
mod hot;
mod live;
mod lookup;
mod merkle;
mod outputs;
mod record;
mod save;
mod script;
mod spend;
mod subsidy;
mod summary;
mod verify;
mod view;
mod write;
mod writer;

pub use builder::ChainBuilder;
pub use columns::Chain;
pub(crate) use columns::flag;
pub use counts::Counts;
pub use cursor::{Input, Output, Spent, Tx};
pub use format::STORE_MAGIC;
pub(crate) use hot::{Hot, Payers};
pub(crate) use merkle::root as merkle_root;
pub use outputs::{OutputSet, OutputSetIter};
pub use record::{Fate, NewInput, NewTx};
pub use script::ScriptType;
pub(crate) use script::canonical;
pub(crate) use spend::WitnessFacts;
pub use spend::{SequenceClass, Spend};
pub(crate) use subsidy::subsidy;
pub use summary::{OutputsByType, Summary};
pub use view::View;
pub(crate) use write::chunk;
pub use writer::{Store, Writer};
