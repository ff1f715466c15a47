//! What the agents decided, before there are keys, scripts and txids: the agents' side of a world ends here and the miner's begins.
//!
//! An output that can be spent sits in a slot; the input that spends it names the slot, which is free again afterwards. Slots are
//! given and freed in the order of the transactions, so both sides agree on what is in a slot at every moment.

use crate::truth::{Account, Entity, Kind, OutputTruth, Stolen};

/// The output can never be spent and has no slot.
pub(super) const NO_SLOT: u32 = u32::MAX;

/// Some blocks in a row.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) blocks: Vec<PlannedBlock>,
}

#[derive(Debug)]
pub(super) struct PlannedBlock {
    /// Seconds since 1970; grows from block to block.
    pub(super) time: u32,
    /// What changes hands before the block's transactions.
    pub(super) handovers: Vec<PlannedHandover>,
    /// The coinbase first; its one input is none. The miner adds the witness commitment as the last output.
    pub(super) txs: Vec<PlannedTx>,
    /// Who appeared since the last block.
    pub(super) entities: Vec<Entity>,
    pub(super) accounts: Vec<Account>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct PlannedHandover {
    pub(super) slot: u32,
    pub(super) to: u32,
    pub(super) account: Option<u32>,
    pub(super) stolen: Option<Stolen>,
}

#[derive(Debug)]
pub(super) struct PlannedTx {
    pub(super) kind: Kind,
    pub(super) version: i32,
    pub(super) lock_time: u32,
    pub(super) inputs: Vec<PlannedInput>,
    pub(super) outputs: Vec<PlannedOutput>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct PlannedInput {
    pub(super) slot: u32,
    pub(super) sequence: u32,
    /// The wallet grinds its signatures until R is short.
    pub(super) low_r: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct PlannedOutput {
    pub(super) slot: u32,
    pub(super) sat: u64,
    pub(super) lock: Lock,
    pub(super) truth: OutputTruth,
}

/// The script of an output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lock {
    /// A key or script that was never on the chain.
    Fresh(Form),
    /// The script that the input at this place of the same transaction spends.
    OfInput(u32),
    /// An address that is used again and again, by its number; made when it is first named.
    Kept(u32, Form),
    /// OP_RETURN and one push of so many bytes.
    Data(u8),
    /// A script that nobody can satisfy and that does not say so: value is lost in it.
    Lost,
}

/// The type of a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    P2pk,
    P2pkh,
    /// 2 of 3.
    BareMultisig,
    /// 2 of 3.
    P2shMultisig,
    P2shP2wpkh,
    /// 2 of 3.
    P2shP2wsh,
    P2wpkh,
    /// 2 of 3.
    P2wsh,
    P2tr,
}
