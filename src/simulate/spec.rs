//! What a world is asked to be.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, SpecError};

/// How large a world is, and who steals in it.
///
/// # Examples
///
/// ```
/// use fundtrace::simulate::WorldSpec;
/// let spec = WorldSpec::new(20_000).thefts(vec!["wait 50, split 4, peel 120, join, exchange".parse()?]);
/// assert_eq!((spec.txs, spec.thefts.len()), (20_000, 1));
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WorldSpec {
    /// The least number of transactions, coinbases not counted; the block in which it is reached is the last.
    pub txs: u64,
    /// Transactions per block that the world settles at, in thousandths. The fewer, the longer it lasts.
    pub density: u32,
    /// One theft for each.
    pub thefts: Vec<Programme>,
    /// `CoinJoin`s that nobody steals for, in a million transactions.
    pub coinjoins: u32,
}

impl WorldSpec {
    /// The usual world of this size: 8 transactions a block, one theft for every 6,000 transactions (at most 40) with the
    /// [usual programmes](Programme::usual), and 400 `CoinJoin`s in a million transactions.
    pub fn new(txs: u64) -> Self {
        let thefts = usize::try_from((txs / 6_000).clamp(1, 40)).unwrap_or(1);
        let thefts = Programme::usual().into_iter().cycle().take(thefts).collect();
        Self { txs, density: 8_000, thefts, coinjoins: 400 }
    }

    /// Sets the thefts.
    #[must_use]
    pub fn thefts(mut self, thefts: Vec<Programme>) -> Self {
        self.thefts = thefts;
        self
    }
}

/// A step of a laundering programme. It is applied to all coins that the thief holds when it begins.
///
/// # Examples
///
/// ```
/// use fundtrace::simulate::Stage;
/// assert_eq!("peel 120".parse::<Stage>()?, Stage::Peel(120));
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Stage {
    /// `wait N`: nothing for so many blocks.
    Wait(u32),
    /// `split N`: every coin into so many, 2,000 at most.
    Split(u32),
    /// `peel N`: a chain of so many hops from the greatest coin; each hop pays a small part to an exchange or a shop.
    Peel(u32),
    /// `join`: all coins into one.
    Join,
    /// `shuffle N`: every coin moves so many times, to a new address each time.
    Shuffle(u32),
    /// `blend`: joins the coins with clean coins of the thief's, bought at an exchange.
    Blend,
    /// `decoys N`: so many small payments to people who have nothing to do with it.
    Decoys(u32),
    /// `dust N`: dust to so many strangers.
    Dust(u32),
    /// `whirlpool N`: through Whirlpool, so many rounds at most.
    Whirlpool(u32),
    /// `wasabi1`: through a round of Wasabi 1.
    Wasabi1,
    /// `wasabi2`: through a `WabiSabi` round.
    Wasabi2,
    /// `joinmarket`: as the taker of a `JoinMarket` `CoinJoin`.
    Joinmarket,
    /// `chips`: through a chip mixer.
    Chips,
    /// `tumbler`: through a custodial mixer.
    Tumbler,
    /// `through`: into an account at an exchange and out again later.
    Through,
    /// `exchange`: everything to deposit addresses of exchanges, for good.
    Exchange,
}

/// A word, the stage it makes of a number, and whether it takes one.
type Word = (&'static str, fn(u32) -> Stage, bool);

/// What each word of a programme means.
const WORDS: [Word; 16] = [
    ("wait", Stage::Wait, true),
    ("split", Stage::Split, true),
    ("peel", Stage::Peel, true),
    ("join", |_| Stage::Join, false),
    ("shuffle", Stage::Shuffle, true),
    ("blend", |_| Stage::Blend, false),
    ("decoys", Stage::Decoys, true),
    ("dust", Stage::Dust, true),
    ("whirlpool", Stage::Whirlpool, true),
    ("wasabi1", |_| Stage::Wasabi1, false),
    ("wasabi2", |_| Stage::Wasabi2, false),
    ("joinmarket", |_| Stage::Joinmarket, false),
    ("chips", |_| Stage::Chips, false),
    ("tumbler", |_| Stage::Tumbler, false),
    ("through", |_| Stage::Through, false),
    ("exchange", |_| Stage::Exchange, false),
];

impl FromStr for Stage {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || SpecError::Stage { text: text.chars().take(40).collect() };
        let mut words = text.split_whitespace();
        let word = words.next().ok_or_else(refused)?;
        let (_, make, numbered) = WORDS.iter().find(|(name, ..)| *name == word).ok_or_else(refused)?;
        let number = if *numbered {
            let number: u32 = words.next().and_then(|number| number.parse().ok()).ok_or_else(refused)?;
            if !(1..=1_000_000).contains(&number) {
                return Err(refused().into());
            }
            number
        } else {
            0
        };
        if words.next().is_some() {
            return Err(refused().into());
        }
        Ok(make(number))
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = match *self {
            Self::Wait(number)
            | Self::Split(number)
            | Self::Peel(number)
            | Self::Shuffle(number)
            | Self::Decoys(number)
            | Self::Dust(number)
            | Self::Whirlpool(number) => Some(number),
            _ => None,
        };
        let word = WORDS.iter().find(|(_, make, _)| make(number.unwrap_or(0)) == *self).map_or("", |(word, ..)| *word);
        match number {
            Some(number) => write!(f, "{word} {number}"),
            None => f.write_str(word),
        }
    }
}

/// What a thief does with the loot: stages with commas between them, as in `wait 50, split 4, peel 120, join, exchange`, or the name of a
/// [programme](Programme::hoard).
///
/// # Examples
///
/// ```
/// use fundtrace::simulate::Programme;
/// let programme: Programme = "split 4, whirlpool 3, exchange".parse()?;
/// assert_eq!(programme.stages().len(), 3);
/// assert_eq!(programme.to_string(), "split 4, whirlpool 3, exchange");
/// assert!("split 4, fly".parse::<Programme>().is_err_and(|error| error.is_spec()));
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Programme {
    stages: Vec<Stage>,
}

impl Programme {
    /// The programmes that worlds use when nothing else is asked for: at least five stages each, and among them every stage there is.
    pub fn usual() -> Vec<Self> {
        use Stage::*;
        [
            vec![Wait(40), Split(6), Peel(150), Shuffle(3), Join, Exchange],
            vec![Split(4), Peel(110), Whirlpool(3), Wait(30), Join, Peel(20), Exchange],
            vec![Shuffle(6), Split(8), Shuffle(12), Decoys(40), Wasabi1, Shuffle(2), Exchange],
            vec![Peel(1_100), Wait(200), Dust(20), Tumbler, Split(3), Exchange],
            vec![Wait(10), Split(12), Shuffle(9), Wasabi2, Shuffle(3), Through, Exchange],
            vec![Split(5), Peel(120), Chips, Shuffle(2), Join, Exchange],
            vec![Peel(90), Split(5), Joinmarket, Shuffle(4), Blend, Through, Peel(30), Exchange],
        ]
        .map(|stages| Self { stages })
        .into()
    }

    /// The loot lies in two thousand pieces and is then swept together a hundred at a time, as after the largest theft of 2016, when some two thousand outputs
    /// were taken and consolidated years later. `hoard` by name.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::simulate::Programme;
    /// assert_eq!("hoard".parse::<Programme>()?, Programme::hoard());
    /// assert_eq!(Programme::hoard().to_string(), "split 2000, wait 100, join, wait 10, join");
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn hoard() -> Self {
        use Stage::*;
        Self { stages: vec![Split(2_000), Wait(100), Join, Wait(10), Join] }
    }

    /// Returns the stages in order.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }
}

impl FromStr for Programme {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.trim() == "hoard" {
            return Ok(Self::hoard());
        }
        Ok(Self { stages: text.split(',').map(str::parse).collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for Programme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.stages.iter().map(ToString::to_string).collect();
        f.write_str(&words.join(", "))
    }
}

impl Serialize for Programme {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Programme {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programmes_are_read_as_they_are_written() {
        for programme in Programme::usual() {
            assert_eq!(programme.to_string().parse::<Programme>().ok(), Some(programme.clone()));
            assert!(programme.stages.len() >= 5);
        }
        for bad in ["", "peel", "peel x", "peel 0", "join 3", "peel 5 6", "wait 99999999999", ","] {
            assert!(bad.parse::<Programme>().is_err_and(|error| error.is_spec()), "{bad}");
        }
    }
}
