//! The rules of this module by name, with the rates that were published of them.

use std::fmt;
use std::str::FromStr;

use super::{
    AddressReuse, AddressType, Change, Client, ClusterMember, Consumer, Ermilov, Fingerprints, FixedFee, Fresh,
    Graphsense, Hindsight, LastOutput, Legacy, LockTime, Mask, Meiklejohn, MeiklejohnGlobal, MeiklejohnWait, Nothing,
    OptimalChange, OptimalFee, Payment, Peeling, PowerOfTen, SameFingerprint, Shadow, Spent, TwoHops, TypeUnanimous,
    Uih1, Uih2,
};
use crate::error::{Error, SpecError};
use crate::id::{AddressIndex, TxIndex};

/// Rates of a rule as they were published, in millionths; what was not published is `None`.
///
/// # Examples
///
/// ```
/// use fundtrace::change::Rule;
/// let published = Rule::PowerOfTen.published().unwrap();
/// assert_eq!((published.tpr_ppm, published.fpr_ppm), (Some(211_000), Some(5_000)));
/// assert_eq!(published.confidence_ppm(), Some(976_851));
/// assert_eq!(Rule::Shadow.published().unwrap().confidence_ppm(), Some(960_000));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Published {
    /// The share of change outputs that the rule names.
    pub tpr_ppm: Option<u32>,
    /// The share of other outputs that the rule names.
    pub fpr_ppm: Option<u32>,
    /// The share of named outputs that are change.
    pub precision_ppm: Option<u32>,
}

impl Published {
    pub(crate) const fn rates(tpr_ppm: u32, fpr_ppm: u32) -> Self {
        Self { tpr_ppm: Some(tpr_ppm), fpr_ppm: Some(fpr_ppm), precision_ppm: None }
    }

    const fn precision(precision_ppm: u32, recall_ppm: u32) -> Self {
        Self { tpr_ppm: Some(recall_ppm), fpr_ppm: None, precision_ppm: Some(precision_ppm) }
    }

    /// Returns the published precision, or TPR / (TPR + FPR), which it is where one of two outputs is change. Rounded down.
    ///
    /// It is the precision on that ground truth and no known one on other data.
    pub fn confidence_ppm(self) -> Option<u32> {
        if self.precision_ppm.is_some() {
            return self.precision_ppm;
        }
        let (tpr, fpr) = (u64::from(self.tpr_ppm?), u64::from(self.fpr_ppm?));
        u32::try_from((tpr * 1_000_000).checked_div(tpr + fpr)?).ok()
    }
}

/// What some rules have to be told.
///
/// # Examples
///
/// ```
/// use fundtrace::change::{Context, Rule};
/// let cluster = |address: fundtrace::AddressIndex| address.to_u32();
/// let context = Context::default().cluster(&cluster);
/// assert_eq!(Rule::TwoHops.hindsight(&context).unwrap().name(), "two_hops");
/// assert!(Rule::TwoHops.hindsight(&Context::default()).is_none());
/// ```
#[derive(Clone, Copy, Default)]
pub struct Context<'a> {
    fingerprints: Option<&'a Fingerprints>,
    cluster: Option<&'a (dyn Fn(AddressIndex) -> u32 + Sync)>,
    coinjoin: Option<&'a (dyn Fn(TxIndex) -> bool + Sync)>,
}

impl<'a> Context<'a> {
    /// Gives the flags of the chain's transactions.
    #[must_use]
    pub fn fingerprints(mut self, fingerprints: &'a Fingerprints) -> Self {
        self.fingerprints = Some(fingerprints);
        self
    }

    /// Gives the number of each address's cluster.
    #[must_use]
    pub fn cluster(mut self, cluster: &'a (dyn Fn(AddressIndex) -> u32 + Sync)) -> Self {
        self.cluster = Some(cluster);
        self
    }

    /// Tells which transactions are CoinJoins; without it [`Legacy`] takes none for one.
    #[must_use]
    pub fn coinjoin(mut self, coinjoin: &'a (dyn Fn(TxIndex) -> bool + Sync)) -> Self {
        self.coinjoin = Some(coinjoin);
        self
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("fingerprints", &self.fingerprints).finish_non_exhaustive()
    }
}

macro_rules! rules {
    ($($rule:ident = $name:literal, $published:expr, $doc:literal;)*) => {
        /// The rules by name, with default parameters.
        ///
        /// # Examples
        ///
        /// ```
        /// use fundtrace::change::{Context, Rule};
        /// assert_eq!("fresh".parse::<Rule>()?, Rule::Fresh);
        /// assert!("new".parse::<Rule>().unwrap_err().is_spec());
        /// // One looks at the chain up to the payment, the other ahead.
        /// assert!(Rule::Fresh.change(&Context::default()).is_some());
        /// assert!(Rule::LockTime.change(&Context::default()).is_none());
        /// assert!(Rule::LockTime.hindsight(&Context::default()).is_some());
        /// # Ok::<(), fundtrace::Error>(())
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum Rule {
            $(#[doc = $doc] $rule,)*
        }

        impl Rule {
            /// Every rule: first those that do not look ahead.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$rule),*];

            /// Returns the name: its file's.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$rule => $name,)*
                }
            }

            /// Returns the rates that were published of it, by Moeser and Narayanan (2022); of [`Rule::SameFingerprint`] see [`Mask::ALL`].
            /// What they published of equal fingerprints (lock times, relative fees) is not of the rules that ask the same field otherwise.
            pub fn published(self) -> Option<Published> {
                match self {
                    $(Self::$rule => $published,)*
                }
            }
        }
    };
}

rules! {
    AddressReuse = "address_reuse", None, "[`AddressReuse`](super::AddressReuse).";
    AddressType = "address_type", Some(Published::rates(237_000, 30_500)), "[`AddressType`](super::AddressType).";
    TypeUnanimous = "type_unanimous", None, "[`TypeUnanimous`](super::TypeUnanimous).";
    Client = "client", None, "[`Client`](super::Client).";
    Fresh = "fresh", None, "[`Fresh`](super::Fresh).";
    Shadow = "shadow", Some(Published::precision(960_000, 550_000)), "[`Shadow`](super::Shadow).";
    Meiklejohn = "meiklejohn", None, "[`Meiklejohn`](super::Meiklejohn).";
    Ermilov = "ermilov", None, "[`Ermilov`](super::Ermilov).";
    Legacy = "legacy", None, "[`Legacy`](super::Legacy).";
    OptimalChange = "optimal_change", Some(Published::rates(306_000, 26_300)), "[`OptimalChange`](super::OptimalChange).";
    OptimalFee = "optimal_fee", Some(Published::rates(239_000, 20_200)), "[`OptimalFee`](super::OptimalFee).";
    Uih1 = "uih1", None, "[`Uih1`](super::Uih1).";
    Uih2 = "uih2", None, "[`Uih2`](super::Uih2).";
    PowerOfTen = "power_of_ten", Some(Published::rates(211_000, 5_000)), "[`PowerOfTen`](super::PowerOfTen) of six digits.";
    LastOutput = "last_output", None, "[`LastOutput`](super::LastOutput).";
    Nothing = "nothing", None, "[`Nothing`](super::Nothing).";
    Peeling = "peeling", None, "[`Peeling`](super::Peeling).";
    LockTime = "lock_time", None, "[`LockTime`](super::LockTime).";
    FixedFee = "fixed_fee", None, "[`FixedFee`](super::FixedFee).";
    Spent = "spent", None, "[`Spent`](super::Spent).";
    Consumer = "consumer", None, "[`Consumer`](super::Consumer).";
    Graphsense = "graphsense", None, "[`Graphsense`](super::Graphsense).";
    MeiklejohnWait = "meiklejohn_wait", None, "[`MeiklejohnWait`](super::MeiklejohnWait) of a day.";
    MeiklejohnGlobal = "meiklejohn_global", Some(Published::precision(949_000, 562_000)), "[`MeiklejohnGlobal`](super::MeiklejohnGlobal).";
    ClusterMember = "cluster_member", None, "[`ClusterMember`](super::ClusterMember); needs clusters.";
    TwoHops = "two_hops", Some(Published::precision(953_000, 488_000)), "[`TwoHops`](super::TwoHops); needs clusters.";
    SameFingerprint = "same_fingerprint", None, "[`SameFingerprint`](super::SameFingerprint) under all twenty flags; needs fingerprints.";
}

impl Rule {
    /// Makes the rule, if it is one that does not look ahead.
    pub fn change<'a>(self, context: &Context<'a>) -> Option<Box<dyn Change + 'a>> {
        let coinjoin = context.coinjoin;
        Some(match self {
            Self::AddressReuse => Box::new(AddressReuse),
            Self::AddressType => Box::new(AddressType),
            Self::TypeUnanimous => Box::new(TypeUnanimous),
            Self::Client => Box::new(Client),
            Self::Fresh => Box::new(Fresh),
            Self::Shadow => Box::new(Shadow),
            Self::Meiklejohn => Box::new(Meiklejohn),
            Self::Ermilov => Box::new(Ermilov),
            Self::Legacy => {
                Box::new(Legacy::new(move |payment: &Payment<'_>| coinjoin.is_some_and(|is| is(payment.index()))))
            }
            Self::OptimalChange => Box::new(OptimalChange),
            Self::OptimalFee => Box::new(OptimalFee),
            Self::Uih1 => Box::new(Uih1),
            Self::Uih2 => Box::new(Uih2),
            Self::PowerOfTen => Box::new(PowerOfTen::default()),
            Self::LastOutput => Box::new(LastOutput),
            Self::Nothing => Box::new(Nothing),
            _ => return None,
        })
    }

    /// Makes the rule, of either kind, among those that look ahead; `None` where the context lacks what it needs.
    pub fn hindsight<'a>(self, context: &Context<'a>) -> Option<Box<dyn Hindsight + 'a>> {
        Some(match self {
            Self::Peeling => Box::new(Peeling),
            Self::LockTime => Box::new(LockTime),
            Self::FixedFee => Box::new(FixedFee),
            Self::Spent => Box::new(Spent),
            Self::Consumer => Box::new(Consumer),
            Self::Graphsense => Box::new(Graphsense),
            Self::MeiklejohnWait => Box::new(MeiklejohnWait::day()),
            Self::MeiklejohnGlobal => Box::new(MeiklejohnGlobal),
            Self::ClusterMember => Box::new(ClusterMember::new(context.cluster?)),
            Self::TwoHops => Box::new(TwoHops::new(context.cluster?)),
            Self::SameFingerprint => {
                let twenty = Mask::ALL[Mask::ALL.len() - 1];
                Box::new(SameFingerprint::new(context.fingerprints?, twenty))
            }
            past => Box::new(past.change(context)?.in_hindsight()),
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Rule {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            SpecError::Unknown { what: "change rule", given: name.into(), known }.into()
        })
    }
}
