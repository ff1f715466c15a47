//! What is true of one transaction.

use bitcoin::{OutPoint, Txid};
use serde::{Deserialize, Serialize};

/// What an output is for, from the view of those who made the transaction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Role {
    /// A block's reward.
    Coinbase,
    /// Paid to somebody else.
    Payment,
    /// Back to the payer, in the wallet that paid.
    Change,
    /// Moved by its owner on purpose: consolidation, fan-out, between hot and cold wallets.
    Transfer,
    /// Paid to an address that a custodian gave to a customer.
    Deposit,
    /// Collected by a custodian from its deposit addresses.
    Sweep,
    /// Paid by a custodian to a customer.
    Withdrawal,
    /// The piece that is cut off in a peel chain.
    Peel,
    /// Made to enter a mix.
    Premix,
    /// An equal output of a mix, or one of a standard denomination.
    Mix,
    /// Made of coins that leave a mix.
    Postmix,
    /// A chip of a chip mixer: changes hands without a transaction.
    Chip,
    /// A service's fee: a coordinator's, a mixer's.
    Fee,
    /// Dust or an airdrop that nobody asked for.
    Dust,
    /// Data, nobody's money.
    Data,
}

/// What a transaction is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// A block's new coins.
    Coinbase,
    /// One payer pays one receiver.
    Payment,
    /// One payer pays many receivers.
    Batch,
    /// An owner joins coins, or moves one.
    Consolidation,
    /// An owner divides coins.
    FanOut,
    /// A custodian collects deposits.
    Sweep,
    /// A custodian pays customers.
    Withdrawal,
    /// Between a custodian's hot and cold wallets.
    Refill,
    /// A pool pays its miners.
    Payout,
    /// One step of a peel chain.
    Peel,
    /// The theft itself.
    Theft,
    /// Payer and receiver both bring inputs.
    Payjoin,
    /// Splits coins for a Whirlpool.
    Tx0,
    /// A Whirlpool mix.
    Whirlpool,
    /// A CoinJoin of Wasabi 1.
    Wasabi1,
    /// A WabiSabi CoinJoin.
    Wasabi2,
    /// A JoinMarket CoinJoin.
    Joinmarket,
    /// A chip mixer makes chips.
    Chips,
    /// A custodial mixer pays out.
    MixerPayout,
    /// Equal amounts to many who did not ask.
    Airdrop,
    /// Dust to addresses that are watched.
    Dust,
    /// Keys of two owners meet in one wallet.
    Import,
}

/// That value is loot, and how much of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stolen {
    /// The theft.
    pub theft: u32,
    /// How much of the output is loot, in sat.
    pub sat: u64,
}

/// What is true of one output.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputTruth {
    /// Who holds the keys; `None` where nobody does, or where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<u32>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The account at a custodian that it credits or debits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<u32>,
    /// How much of it is loot in its thief's own book, inside custodians too. A row without it says that nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stolen: Option<Stolen>,
}

/// What is true of one transaction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TxTruth {
    /// Its txid.
    pub txid: Txid,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Its outputs in order: all of them, or none where only the kind is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputTruth>,
}

/// An output that changed hands without a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handover {
    /// The output.
    pub output: OutPoint,
    /// The entity that holds its key from then on.
    pub to: u32,
    /// The height at which it changed hands.
    pub height: u32,
    /// The account that it debits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<u32>,
    /// Whether it is loot from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stolen: Option<Stolen>,
}

/// A line of a truth file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Row {
    /// An owner.
    Entity(super::Entity),
    /// An account at a custodian.
    Account(super::Account),
    /// A theft.
    Theft(super::Theft),
    /// A transaction.
    Tx(TxTruth),
    /// A change of hands.
    Handover(Handover),
}
