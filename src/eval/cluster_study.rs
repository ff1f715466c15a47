//! Clusters against owners: every rule and the recommended combinations, on some chains whose owners are known.
//!
//! Published figures stand beside the rows they are closest to; none is of the same data or the same measure.
//!
//! 1. Nick: Data-driven de-anonymization in Bitcoin (2015): common spending finds 68.59 % of a wallet's addresses on average.
//! 2. Meiklejohn and others: A fistful of bitcoins (IMC 2013), section 4.2: the change rule's estimated false positives.
//! 3. Moeser, Narayanan: Resurrecting address clustering in Bitcoin (Financial Cryptography 2022), sections 5 and 6: rates of change rules, how large
//!    the largest cluster becomes, and how many of 273 tagged services are in it.

use std::fmt;

use super::{Clustering, Ratio, cluster as score};
use crate::chain::{Tx, View};
use crate::change::{
    self, Context, Fingerprints, Guess, Hindsight, Mask, Published, Rule, SameFingerprint, voters, voters_in_hindsight,
};
use crate::cluster::{self, Built, Clusters, Constraints, Evidence, Guard, build, same_key, spending, voted};
use crate::detect::{Confidence, payjoin};
use crate::id::{AddressIndex, EntityIndex};

/// Scores of clusters over any number of chains.
///
/// # Examples
///
/// ```
/// use fundtrace::{EntityIndex, detect, eval::ClusterStudy};
/// // One owner's two coins: spending finds that.
/// let chain = detect::sketch(&[70_000, 80_000], &[120_000, 29_000])?;
/// let mut study = ClusterStudy::default();
/// study.add(chain.view(), |_| Some(EntityIndex::from_u32(0)), |_| None);
/// let spending = study.rows().iter().find(|row| row.rules == "spending").unwrap();
/// assert_eq!(spending.chains[0].precision().to_string(), "1.0000");
/// assert_eq!(spending.chains[0].owners_max, 1);
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Default, Debug)]
pub struct ClusterStudy {
    rows: Vec<ClusterRow>,
}

/// How well rules cluster.
///
/// # Examples
///
/// See [`ClusterStudy`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ClusterRow {
    /// The rules.
    pub rules: String,
    /// True when one of them looks at later transactions.
    pub looks_ahead: bool,
    /// What was published of them; empty where nothing was.
    pub published: String,
    /// What was counted on each chain.
    pub chains: Vec<Clustering>,
}

impl ClusterStudy {
    /// Adds a chain with the owners of its addresses, as far as they are known, and with an analyst's tags on some. Without any tag the row with tags is left out.
    pub fn add<'t>(
        &mut self,
        view: View<'_>,
        owner: impl Fn(AddressIndex) -> Option<EntityIndex>,
        tag: impl Fn(AddressIndex) -> Option<&'t str>,
    ) {
        let fingerprints = Fingerprints::of(view);
        let guard = Guard::default();
        let hard = spending::evidence(view, &guard.to_string(), |tx| guard.skips(tx));
        let base = hard.clusters();
        let mut part = Part { view, guard, hard, found: Vec::new() };
        part.guards();
        part.change_rules(&fingerprints, &base);
        part.votes(&fingerprints, &tag);
        for (name, clusters) in part.found {
            let all = (0..clusters.addresses()).map(AddressIndex::of);
            let all = all.filter_map(|address| Some((clusters.of(address)?.to_u32(), owner(address))));
            let scored = score(all);
            match self.rows.iter_mut().find(|row| row.rules == name.rules) {
                Some(row) => row.chains.push(scored),
                None => self.rows.push(ClusterRow { chains: vec![scored], ..name }),
            }
        }
    }

    /// Returns a row for each combination of rules.
    pub fn rows(&self) -> &[ClusterRow] {
        &self.rows
    }

    /// Writes the rows that are asked for as a table. Precision and recall are over all chains; the largest cluster and the most owners in one are those
    /// of the chain that is worst.
    pub fn table(&self, keep: impl Fn(&ClusterRow) -> bool) -> String {
        let mut table = String::from(
            "| rules | looks ahead | precision | recall | B-cubed precision | B-cubed recall | largest cluster | most owners in one | published |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        for row in self.rows.iter().filter(|row| keep(row)) {
            table.push_str(&row.to_string());
        }
        table
    }
}

/// All rows.
impl fmt::Display for ClusterStudy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table(|_| true))
    }
}

/// A line of the table.
impl fmt::Display for ClusterRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |of: fn(&Clustering) -> Ratio| self.chains.iter().map(of).sum::<Ratio>();
        writeln!(
            f,
            "| {} | {} | {:.3} | {:.4} | {:.3} | {:.4} | {} | {} | {} |",
            self.rules,
            if self.looks_ahead { "yes" } else { "no" },
            sum(Clustering::precision),
            sum(Clustering::recall),
            sum(Clustering::bcubed_precision),
            sum(Clustering::bcubed_recall),
            self.chains.iter().map(|chain| chain.largest.num).max().unwrap_or(0),
            self.chains.iter().map(|chain| chain.owners_max).max().unwrap_or(0),
            self.published,
        )
    }
}

/// The rows of one chain while they are made.
struct Part<'c> {
    view: View<'c>,
    guard: Guard,
    /// Spending under the guard.
    hard: Evidence,
    found: Vec<(ClusterRow, Clusters)>,
}

impl Part<'_> {
    fn push(&mut self, rules: impl Into<String>, looks_ahead: bool, published: impl Into<String>, clusters: Clusters) {
        let row = ClusterRow { rules: rules.into(), looks_ahead, published: published.into(), chains: Vec::new() };
        self.found.push((row, clusters));
    }

    /// Spending under one guard after the other, and one key's forms.
    fn guards(&mut self) {
        let view = self.view;
        let from = |percent| Guard::none().coinjoin(Confidence::from_percent(percent));
        let kept = cluster::by_spending(view, |_| false);
        self.push("spending, nothing left out", false, "recall 0.686 of a wallet (1)", kept);
        for percent in [60, 25] {
            let clusters = cluster::by_spending(view, |tx| from(percent).skips(tx));
            self.push(format!("spending, CoinJoins left out from {percent} %"), false, "", clusters);
        }
        let clusters = self.hard.clusters();
        self.push("spending", false, "", clusters);
        let guard = self.guard.unnecessary(true);
        self.push("spending, unnecessary inputs left out", false, "", cluster::by_spending(view, |tx| guard.skips(tx)));
        let guard = self.guard;
        let suspected = |tx: Tx<'_>| guard.skips(tx) || payjoin::find(tx).is_some();
        self.push("spending, suspected payjoins left out", false, "", cluster::by_spending(view, suspected));
        let keys = same_key::evidence(view);
        self.push("same_key", false, "", keys.clusters());
        let clusters = self.hard.clone().and(keys).clusters();
        self.push("spending, same_key", false, "", clusters);
    }

    /// What a rule names, but where the guard leaves the payment out.
    fn named(&self, rule: &dyn Hindsight) -> Evidence {
        let picks = change::picks_in_hindsight(self.view, rule).into_iter();
        let picks = picks.filter(|(tx, _)| !self.guard.skips(self.view.tx(*tx)));
        let name = cluster::Rule::new(rule.name(), rule.version());
        Evidence::of_pairs(self.view, name, change::links(self.view, picks))
    }

    /// Spending with one change rule each, and with all that do not look ahead.
    fn change_rules(&mut self, fingerprints: &Fingerprints, base: &Clusters) {
        let of = |address| base.of(address).map_or(u32::MAX, |cluster| cluster.to_u32());
        let context = Context::default().fingerprints(fingerprints).cluster(&of);
        let mut all = self.hard.clone();
        // Nothing joins nothing, and fingerprints follow by mask.
        for rule in Rule::ALL.into_iter().filter(|rule| !matches!(rule, Rule::Nothing | Rule::SameFingerprint)) {
            let Some(asked) = rule.hindsight(&context) else { continue };
            let looks_ahead = rule.change(&context).is_none();
            let named = self.named(&asked);
            let clusters = self.hard.clone().and(named.clone()).clusters();
            self.push(format!("spending, {rule}"), looks_ahead, of_rule(rule), clusters);
            if !looks_ahead {
                all = all.and(named);
            }
        }
        for mask in Mask::ALL {
            let named = self.named(&SameFingerprint::new(fingerprints, mask));
            let clusters = self.hard.clone().and(named).clusters();
            self.push(format!("spending, {}", mask.name), true, of_change(mask.published), clusters);
        }
        self.push("spending, every change rule that does not look ahead", false, "", all.clusters());
    }

    /// Spending with votes: free, under each constraint, and as we recommend it.
    fn votes<'t>(&mut self, fingerprints: &Fingerprints, tag: &impl Fn(AddressIndex) -> Option<&'t str>) {
        const FOREST: &str = "a forest's guesses, free: one cluster has 113 of 273 services (3)";
        const HELD: &str = "a forest's guesses, kept apart: 273 services in 266 clusters (3)";
        let view = self.view;
        let few = change::votes(view, &voters(1));
        let none = Constraints::default;
        self.push("spending, 8 votes", false, FOREST, self.built(&few, None).at(0));
        let held = self.built(&few, Some(none()));
        self.push("spending, 8 votes, kept apart", false, HELD, held.at(0));
        self.push("spending, 8 votes, kept apart, confidence 0.75", false, "", held.at(750_000));
        for addresses in [100, 20, voted::GROWTH] {
            let limits = none().growth(addresses, 1_000_000);
            let name = format!("spending, 8 votes, kept apart, growth {addresses}");
            self.push(name, false, "", self.built(&few, Some(limits)).at(0));
        }
        let tags = (0..view.addresses_seen()).map(AddressIndex::of).filter_map(|at| Some((at, tag(at)?)));
        let tags: Vec<(AddressIndex, &str)> = tags.collect();
        if !tags.is_empty() {
            let labels = tags.iter().fold(none(), |all, (address, label)| all.label(*address, *label));
            self.push("spending, 8 votes, kept apart, services' tags", false, "", self.built(&few, Some(labels)).at(0));
        }
        let sure = change::votes(view, &voters(3));
        let built = self.built(&sure, Some(none().growth(voted::GROWTH, 1_000_000)));
        self.push("recommended: spending, 8 votes from 3 on, kept apart, growth 5", false, "", built.at(0));
        let later = change::votes_in_hindsight(view, &voters_in_hindsight(fingerprints, 5));
        self.push(
            "spending, 26 votes from 5 on",
            true,
            "change: TPR 0.573, FPR 0.0026 (3)",
            self.built(&later, None).at(0),
        );
        self.push("spending, 26 votes from 5 on, kept apart", true, "", self.built(&later, Some(none())).at(0));
        let built = self.built(&later, Some(none().growth(voted::GROWTH, 1_000_000)));
        self.push("recommended: spending, 26 votes from 5 on, kept apart, growth 5", true, "", built.at(0));
    }

    /// Guesses merged freely, or under constraints and with what they do not name kept apart.
    fn built(&self, guesses: &[Guess], constraints: Option<Constraints>) -> Built {
        let rule = cluster::Rule::new("votes", 1);
        match constraints {
            Some(constraints) => cluster::by_votes(self.view, &self.hard, self.guard, rule, guesses, constraints),
            None => {
                let kept = guesses.iter().filter(|guess| !self.guard.skips(self.view.tx(guess.tx)));
                let soft = voted::soft(self.view, &kept.copied().collect::<Vec<_>>(), 0);
                build(&self.hard, &[rule], &soft, &Constraints::default())
            }
        }
    }
}

/// What was published of a change rule, as a rule of change or of the clusters that it makes.
fn of_rule(rule: Rule) -> String {
    match rule {
        Rule::Meiklejohn => "change: 13 % wrong (2); one cluster has 166 of 273 services (3)".into(),
        Rule::MeiklejohnWait => "change: 0.28 % wrong (2)".into(),
        Rule::MeiklejohnGlobal => format!("{}; one cluster has 177 of 273 services (3)", of_change(rule.published())),
        _ => of_change(rule.published()),
    }
}

fn of_change(published: Option<Published>) -> String {
    let Some(published) = published else { return String::new() };
    let rate = |name: &str, ppm: Option<u32>, digits: usize| {
        Some(format!("{name} {:.digits$}", Ratio::new(ppm?, 1_000_000_u32)))
    };
    let rates = [
        rate("precision", published.precision_ppm, 3),
        rate("TPR", published.tpr_ppm, 3),
        rate("FPR", published.fpr_ppm, 4),
    ];
    format!("change: {} (3)", rates.into_iter().flatten().collect::<Vec<_>>().join(", "))
}
