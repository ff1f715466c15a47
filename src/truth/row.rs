//! What is true of one transaction.

use std::fmt;
use std::io::Write;

use bitcoin::{OutPoint, Txid};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// What an output is for, from the view of those who made the transaction.
///
/// # Examples
///
/// ```
/// use fundtrace::truth::Role;
/// assert_eq!(Role::Postmix.as_str(), "postmix");
/// ```
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

impl Role {
    /// Every one, in the order of their declaration.
    pub const ALL: [Self; 15] = [
        Self::Coinbase,
        Self::Payment,
        Self::Change,
        Self::Transfer,
        Self::Deposit,
        Self::Sweep,
        Self::Withdrawal,
        Self::Peel,
        Self::Premix,
        Self::Mix,
        Self::Postmix,
        Self::Chip,
        Self::Fee,
        Self::Dust,
        Self::Data,
    ];

    /// Returns the name, as truth files have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Coinbase => "coinbase",
            Self::Payment => "payment",
            Self::Change => "change",
            Self::Transfer => "transfer",
            Self::Deposit => "deposit",
            Self::Sweep => "sweep",
            Self::Withdrawal => "withdrawal",
            Self::Peel => "peel",
            Self::Premix => "premix",
            Self::Mix => "mix",
            Self::Postmix => "postmix",
            Self::Chip => "chip",
            Self::Fee => "fee",
            Self::Dust => "dust",
            Self::Data => "data",
        }
    }

    /// Its place in [`ALL`](Self::ALL), as a byte of a column.
    pub(super) fn code(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a transaction is.
///
/// # Examples
///
/// ```
/// use fundtrace::truth::Kind;
/// assert_eq!(Kind::FanOut.as_str(), "fan-out");
/// ```
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

impl Kind {
    /// Every one, in the order of their declaration.
    pub const ALL: [Self; 22] = [
        Self::Coinbase,
        Self::Payment,
        Self::Batch,
        Self::Consolidation,
        Self::FanOut,
        Self::Sweep,
        Self::Withdrawal,
        Self::Refill,
        Self::Payout,
        Self::Peel,
        Self::Theft,
        Self::Payjoin,
        Self::Tx0,
        Self::Whirlpool,
        Self::Wasabi1,
        Self::Wasabi2,
        Self::Joinmarket,
        Self::Chips,
        Self::MixerPayout,
        Self::Airdrop,
        Self::Dust,
        Self::Import,
    ];

    /// Returns the name, as truth files have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Coinbase => "coinbase",
            Self::Payment => "payment",
            Self::Batch => "batch",
            Self::Consolidation => "consolidation",
            Self::FanOut => "fan-out",
            Self::Sweep => "sweep",
            Self::Withdrawal => "withdrawal",
            Self::Refill => "refill",
            Self::Payout => "payout",
            Self::Peel => "peel",
            Self::Theft => "theft",
            Self::Payjoin => "payjoin",
            Self::Tx0 => "tx0",
            Self::Whirlpool => "whirlpool",
            Self::Wasabi1 => "wasabi1",
            Self::Wasabi2 => "wasabi2",
            Self::Joinmarket => "joinmarket",
            Self::Chips => "chips",
            Self::MixerPayout => "mixer-payout",
            Self::Airdrop => "airdrop",
            Self::Dust => "dust",
            Self::Import => "import",
        }
    }

    /// Its place in [`ALL`](Self::ALL), as a byte of a column.
    pub(super) fn code(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// That value is loot, and how much of it.
///
/// # Examples
///
/// See [`Row`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stolen {
    /// The theft.
    pub theft: u32,
    /// How much of the output is loot, in sat.
    pub sat: u64,
}

/// What is true of one output.
///
/// # Examples
///
/// See [`Row`].
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
///
/// # Examples
///
/// See [`Row`].
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
///
/// # Examples
///
/// See [`Row`].
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
///
/// # Examples
///
/// ```
/// use fundtrace::truth::{Entity, EntityKind, Row};
/// let row = Row::Entity(Entity { index: 0, kind: EntityKind::Thief, name: String::new() });
/// let mut line = Vec::new();
/// row.write_to(&mut line)?;
/// assert_eq!(line, b"{\"entity\":{\"index\":0,\"kind\":\"thief\"}}\n");
/// # Ok::<(), fundtrace::Error>(())
/// ```
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

impl Row {
    /// Writes the row as one line of a truth file. Give a buffered writer: it writes in small pieces.
    ///
    /// # Errors
    ///
    /// When the bytes cannot be written ([`Error::is_io`]).
    pub fn write_to(&self, mut out: impl Write) -> Result<(), Error> {
        serde_json::to_writer(&mut out, self).map_err(std::io::Error::from)?;
        Ok(out.write_all(b"\n")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_place_and_a_name_is_what_the_file_has() {
        for (at, role) in Role::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(role.code()), at);
            assert_eq!(serde_json::to_string(&role).unwrap(), format!("\"{role}\""));
        }
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(kind.code()), at);
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
    }
}
