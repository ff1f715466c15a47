//! Where to look first: what ranks leads, and says so.
//!
//! A lead is worth the more the sooner somebody can act on it. So the order is, each where those before are equal: who is at the
//! [`Exit`]; whether it is worth a thousandth of what was seeded, so that dust at a well known place does not come before the loot; how many mixes
//! lie before it, then how many that may be; how well it is known who is there ([`Grade`]); the amount; the hops; the outpoint, which makes the order total. All are whole
//! numbers, and each is said in words. Nothing is multiplied: a product of an amount, a grade and a number of mixes would need weights that nobody
//! has measured.
//!
//! # Fooled by
//!
//! A wrong tag: it ranks before everything that is unspent, and its own source says how far it is to be trusted.

use std::cmp::Reverse;
use std::fmt;

use bitcoin::{Amount, OutPoint};
use serde::{Serialize, Serializer};

use super::{Reason, Trace, Way};
use crate::id::{OutputIndex, small};
use crate::tag::{Confidence, Tag};

/// Leads worth less than this part of what was seeded, in thousandths, come after the others of their exit.
const WORTH_MIN: u128 = 1;

/// Who or what is where a trace ends: the sooner somebody can act there, the earlier.
///
/// # Examples
///
/// ```
/// use fundtrace::tag::Tag;
/// use fundtrace::trace::{Exit, Reason};
/// let tagged = |tag: Tag| Exit::of(&Reason::Tagged(tag.into()));
/// let (shop, thief) = (Tag::new("a shop", "market", ""), Tag::new("a thief", "perpetrator", ""));
/// assert!(tagged(shop) == Exit::Service && tagged(thief) == Exit::Named);
/// assert!(Exit::Named < Exit::of(&Reason::Unspent) && Exit::of(&Reason::UnknownSpender) < Exit::of(&Reason::Budget));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Exit {
    /// An address of a service, by a tag or by a rule about services: it can freeze, and knows its customer.
    Service,
    /// An address tagged as a person's or as part of a deed: it is known, but nobody there answers.
    Named,
    /// A rule of the caller's ends it, for the reason that it gives.
    Chosen,
    /// The coins lie there unspent, to be watched.
    Unspent,
    /// What comes next was not supplied: it can be fetched.
    Missing,
    /// A mix, and the run stops at mixes.
    Mix,
    /// A limit of the run's.
    Limit,
}

impl Exit {
    /// Returns what a reason to end says of the exit.
    pub fn of(reason: &Reason) -> Self {
        match reason {
            Reason::Tagged(tag) => Self::of_tag(tag),
            Reason::Classified(_) => Self::Service,
            Reason::Custom(_) => Self::Chosen,
            Reason::Unspent => Self::Unspent,
            Reason::UnknownSpender | Reason::UnknownPrevout => Self::Missing,
            Reason::Mix(_) => Self::Mix,
            Reason::Hops | Reason::Below | Reason::AsOf | Reason::Budget => Self::Limit,
        }
    }

    /// Returns what a tag says of the exit.
    pub fn of_tag(tag: &Tag) -> Self {
        if tag.names_service() { Self::Service } else { Self::Named }
    }

    /// Says it in a few words.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Service => "a service that can act",
            Self::Named => "somebody named, no service",
            Self::Chosen => "a rule of the caller's",
            Self::Unspent => "unspent coins",
            Self::Missing => "missing data",
            Self::Mix => "a mix",
            Self::Limit => "a limit of the run",
        }
    }
}

/// How well it is known who is there, in classes: strong from 50 of 100, fair from 20, weak below. What a cluster carried there is one class lower.
///
/// The bounds are those between GraphSense's levels: reports, services' own data and authorities stand at 50 and more, what is only on the web at 20,
/// methods that nobody measured below.
///
/// # Examples
///
/// ```
/// use fundtrace::tag::{Inferred, Level, Tag};
/// use fundtrace::trace::Grade;
/// let tag = Tag::new("A", "exchange", "its own list").confidence(Level::ServiceData);
/// assert_eq!(Grade::of_tag(&tag), Grade::Strong);
/// assert_eq!(Grade::of_tag(&tag.inferred(Inferred::new("1A", "spending/1", "1B"))), Grade::Fair);
/// assert!(Grade::of_tag(&Tag::new("A", "exchange", "")) == Grade::Unsaid && Grade::Strong < Grade::Unsaid);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Grade {
    /// 50 of 100 or more.
    Strong,
    /// 20 of 100 or more.
    Fair,
    /// Less.
    Weak,
    /// Nobody says who is there, or how sure that is.
    Unsaid,
}

impl Grade {
    /// Returns the class of a confidence from 0 to 100.
    pub fn of_percent(percent: Option<u8>) -> Self {
        match percent {
            Some(50..) => Self::Strong,
            Some(20..) => Self::Fair,
            Some(_) => Self::Weak,
            None => Self::Unsaid,
        }
    }

    /// Returns the class of what a rule about services says on the ground of a tag: no better than the tag's, and one lower where nobody says how sure
    /// the tag is.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::trace::Grade;
    /// assert_eq!(Grade::of_class(Some(90), Some(80)), Grade::Strong);
    /// assert_eq!(Grade::of_class(Some(90), Some(20)), Grade::Fair);
    /// assert_eq!(Grade::of_class(Some(90), None), Grade::Fair);
    /// ```
    pub fn of_class(rule: Option<u8>, tag: Option<u8>) -> Self {
        let grade = Self::of_percent(rule);
        match tag {
            Some(_) => grade.max(Self::of_percent(tag)),
            None => grade.lower(),
        }
    }

    fn lower(self) -> Self {
        match self {
            Self::Strong => Self::Fair,
            Self::Fair | Self::Weak => Self::Weak,
            Self::Unsaid => Self::Unsaid,
        }
    }

    /// Returns the class of a tag.
    pub fn of_tag(tag: &Tag) -> Self {
        let grade = Self::of_percent(tag.confidence.map(Confidence::percent));
        // A rule about services grades the address itself; a cluster's tag was graded for another.
        let clustered = tag.inferred.as_ref().is_some_and(|inferred| !inferred.cluster.is_empty());
        if clustered { grade.lower() } else { grade }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Strong => "strong",
            Self::Fair => "fair",
            Self::Weak => "weak",
            Self::Unsaid => "unsaid",
        }
    }
}

/// What a lead is ranked by: the least comes first. In words it says why the lead stands where it does.
///
/// # Examples
///
/// See [`Leads::ranked`](super::Leads::ranked).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Rank {
    /// Who or what is there.
    pub exit: Exit,
    /// Whether it is worth less than a thousandth of what was seeded.
    pub is_small: bool,
    /// How many mixes lie between the seeds and it: of its outputs with a thousandth of what was seeded, or of all where none has it, the one with the
    /// fewest decides.
    pub mixes: u32,
    /// How many transactions that may be mixes lie between the seeds and that output, and that the run passed as none.
    pub suspects: u32,
    /// How well it is known who is there.
    pub grade: Grade,
    /// The amount.
    pub amount: Amount,
    /// Thousandths of what was seeded, rounded down.
    pub per_mille: u64,
    /// Whether the amount is an upper bound, as under poison.
    pub is_bound: bool,
    /// Hops from the nearest seed.
    pub hops: u32,
    /// The output there that holds the most.
    pub outpoint: OutPoint,
}

impl Rank {
    /// `seeded` is the value of the trace's seeds: whoever ranks many leads sums it up once.
    pub(crate) fn of(
        trace: &Trace<'_>,
        seeded: Amount,
        most: OutputIndex,
        outputs: &[(OutputIndex, Amount)],
        (exit, grade): (Exit, Grade),
        hops: u32,
    ) -> Self {
        let (view, seeded) = (trace.view(), u128::from(seeded.to_sat()));
        let is_small = |amount: Amount| u128::from(amount.to_sat()) * 1_000 < seeded * WORTH_MIN;
        let behind = |output| {
            let of = |way| trace.behind(output).map_or(0, |behind| small(behind.mixes(view, way).len()));
            (of(Way::Mixed), of(Way::Suspected))
        };
        let worth = outputs.iter().filter(|(_, amount)| !is_small(*amount)).map(|(output, _)| behind(*output)).min();
        let fewest = worth.or_else(|| outputs.iter().map(|(output, _)| behind(*output)).min());
        let (mixes, suspects) = fewest.unwrap_or_default();
        let amount = outputs.iter().map(|(_, amount)| *amount).sum::<Amount>();
        let thousandfold = u128::from(amount.to_sat()) * 1_000;
        Self {
            exit,
            is_small: is_small(amount),
            mixes,
            suspects,
            grade,
            amount,
            per_mille: thousandfold.checked_div(seeded).map_or(0, |part| u64::try_from(part).unwrap_or(u64::MAX)),
            is_bound: !trace.policy().conserving,
            hops,
            outpoint: view.output(most).outpoint(),
        }
    }
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |rank: &Self| {
            let known = (rank.exit, rank.is_small, rank.mixes, rank.suspects, rank.grade);
            (known, Reverse(rank.amount), rank.hops, rank.outpoint, rank.is_bound, rank.per_mille)
        };
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = if self.is_bound { "at most " } else { "" };
        write!(f, "exit: {}; value: {most}{} sat", self.exit.phrase(), self.amount.to_sat())?;
        if self.is_small {
            f.write_str(", less than a thousandth of what was seeded")?;
        } else {
            write!(f, ", {} thousandths of what was seeded", self.per_mille)?;
        }
        write!(f, "; evidence of who is there: {}", self.grade.as_str())?;
        match self.mixes {
            0 => {}
            1 => f.write_str(", behind 1 mix")?,
            mixes => write!(f, ", behind {mixes} mixes")?,
        }
        match self.suspects {
            0 => Ok(()),
            suspects => write!(f, ", behind {suspects} that may be mixes"),
        }
    }
}

impl Serialize for Rank {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Row {
            exit: Exit,
            per_mille: u64,
            is_small: bool,
            mixes: u32,
            suspects: u32,
            evidence: Grade,
            because: String,
        }
        let Self { exit, per_mille, is_small, mixes, suspects, grade: evidence, .. } = *self;
        Row { exit, per_mille, is_small, mixes, suspects, evidence, because: self.to_string() }.serialize(to)
    }
}

/// In which order leads are told.
///
/// # Examples
///
/// ```
/// use fundtrace::trace::LeadOrder;
/// assert_eq!("value".parse::<LeadOrder>()?, LeadOrder::Value);
/// assert_eq!(LeadOrder::default(), LeadOrder::Rank);
/// assert!("size".parse::<LeadOrder>().unwrap_err().is_spec());
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum LeadOrder {
    /// By [`Rank`]: exit, evidence, value.
    #[default]
    Rank,
    /// By value alone, the greatest first.
    Value,
}

impl std::str::FromStr for LeadOrder {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "rank" => Ok(Self::Rank),
            "value" => Ok(Self::Value),
            _ => {
                let (given, known) = (text.to_owned(), "rank, value".to_owned());
                Err(crate::error::SpecError::Unknown { what: "order of leads", given, known }.into())
            }
        }
    }
}
