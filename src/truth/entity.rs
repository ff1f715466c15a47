//! Owners, their accounts at each other, and thefts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an owner does.
///
/// # Examples
///
/// ```
/// use fundtrace::truth::EntityKind;
/// assert_eq!(EntityKind::Exchange.as_str(), "exchange");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EntityKind {
    /// Someone with a wallet.
    User,
    /// A shop or another receiver of payments that has its own wallet.
    Merchant,
    /// A payment processor: an address for each invoice, swept.
    Processor,
    /// An exchange: deposit addresses, hot and cold wallets, withdrawals.
    Exchange,
    /// A mining pool.
    Pool,
    /// A custodial or chip mixer.
    Mixer,
    /// The coordinator of a CoinJoin, which takes fees and holds nobody's coins.
    Coordinator,
    /// A gambling site, a faucet, a sender of dust or of airdrops.
    Other,
    /// Someone who steals and launders.
    Thief,
}

impl EntityKind {
    /// Every one, in the order of their declaration.
    pub const ALL: [Self; 9] = [
        Self::User,
        Self::Merchant,
        Self::Processor,
        Self::Exchange,
        Self::Pool,
        Self::Mixer,
        Self::Coordinator,
        Self::Other,
        Self::Thief,
    ];

    /// Returns the name, as truth files have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Merchant => "merchant",
            Self::Processor => "processor",
            Self::Exchange => "exchange",
            Self::Pool => "pool",
            Self::Mixer => "mixer",
            Self::Coordinator => "coordinator",
            Self::Other => "other",
            Self::Thief => "thief",
        }
    }
}

impl fmt::Display for EntityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An owner.
///
/// # Examples
///
/// See [`Row`](super::Row) and [`Truth`](super::Truth).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entity {
    /// Its number: entities are numbered from 0 without gaps, in any order of lines.
    pub index: u32,
    /// What it does.
    pub kind: EntityKind,
    /// A name for people; a tag's label where the owner is a service.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// A customer's account at a custodian: the hidden ledger. Deposits and withdrawals that name one account belong together.
///
/// # Examples
///
/// See [`Truth`](super::Truth).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its number: accounts are numbered from 0 without gaps.
    pub index: u32,
    /// The custodian's entity.
    pub service: u32,
    /// The customer's entity.
    pub customer: u32,
}

/// A theft. Its seeds, its route and its exits stand in the rows of the transactions.
///
/// # Examples
///
/// See [`Row`](super::Row) and [`Truth`](super::Truth).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Theft {
    /// Its number: thefts are numbered from 0 without gaps.
    pub index: u32,
    /// Who stole.
    pub thief: u32,
    /// Whose coins they were.
    pub victim: u32,
    /// The height of the theft.
    pub height: u32,
    /// What was stolen, in sat.
    pub sat: u64,
    /// What the thief set out to do with it, as text.
    #[serde(default)]
    pub programme: String,
}
