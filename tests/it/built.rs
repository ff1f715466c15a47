//! Weighed evidence under constraints, against the definition written out: sets, compared anew at every step.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use fundtrace::cluster::build::{Contradiction, VetoReason};
use fundtrace::cluster::{self, Built, Clusters, Constraints, Evidence, Rule, Soft, spending};
use fundtrace::{AddressIndex, Chain, TxIndex};
use proptest::prelude::*;

use crate::clusters::{naive, reused, sets};

type Set = BTreeSet<AddressIndex>;

/// A chain, weighed evidence about its addresses, and what must not be merged.
#[derive(Clone, Debug)]
struct Case {
    chain: Chain,
    soft: Vec<Soft>,
    apart: Vec<(AddressIndex, AddressIndex)>,
    labels: Vec<(AddressIndex, String)>,
    growth: Option<(usize, u32)>,
}

fn case() -> impl Strategy<Value = Case> {
    let numbers = prop::collection::vec((any::<u32>(), any::<u32>(), 0_u32..6), 0..40);
    let apart = prop::collection::vec((any::<u32>(), any::<u32>()), 0..3);
    let labels = prop::collection::vec((any::<u32>(), 0_u8..3), 0..4);
    (reused(), numbers, apart, labels, prop::option::of((1_usize..4, 0_u32..6))).prop_map(
        |(mini, soft, apart, labels, growth)| {
            let chain = mini.chain();
            let (addresses, txs) = (u32::try_from(chain.view().addresses()).unwrap(), chain.view().txs().count());
            let stubs = u32::try_from(chain.view().stubs().len()).unwrap();
            let address = |number: u32| AddressIndex::from_u32(number % addresses);
            let tx = |number: u32| TxIndex::from_u32(stubs + number % u32::try_from(txs).unwrap());
            Case {
                soft: soft
                    .iter()
                    .map(|(a, b, c)| Soft::new(address(*a), address(*b), tx(a ^ b), u16::from(a % 2 == 0), c * 200_000))
                    .collect(),
                apart: apart.iter().map(|(a, b)| (address(*a), address(*b))).filter(|(a, b)| a != b).collect(),
                labels: labels.iter().map(|(a, label)| (address(*a), format!("service {label}"))).collect(),
                growth: growth.map(|(least, confidence)| (least, confidence * 200_000)),
                chain,
            }
        },
    )
}

impl Case {
    fn hard(&self) -> Evidence {
        spending::evidence(self.chain.view(), "", |_| false)
    }

    fn constraints(&self) -> Constraints {
        let all = self.apart.iter().fold(Constraints::default(), |all, (a, b)| all.apart(*a, *b));
        let all = self.labels.iter().fold(all, |all, (address, label)| all.label(*address, label));
        self.growth.map_or(all.clone(), |(least, confidence)| all.growth(least, confidence))
    }

    fn build(&self, constraints: &Constraints) -> Built {
        cluster::build(&self.hard(), &[Rule::new("one", 1), Rule::new("two", 1)], &self.soft, constraints)
    }

    fn labels_of(&self, set: &Set) -> BTreeSet<&str> {
        self.labels.iter().filter(|(address, _)| set.contains(address)).map(|(_, label)| label.as_str()).collect()
    }

    /// The definition: every rule asked of the sets themselves. Gives the sets and what was vetoed.
    fn naive(&self, least: u32) -> (Vec<Set>, Vec<(Soft, VetoReason)>) {
        let links: Vec<Set> = self.hard().inferences().map(|i| i.addresses.iter().copied().collect()).collect();
        let mut sets = naive(self.chain.view().addresses(), &links);
        let mut soft: Vec<Soft> = self.soft.iter().filter(|soft| soft.confidence_ppm >= least).copied().collect();
        soft.sort_by_key(|soft| (Reverse(soft.confidence_ppm), soft.tx, soft.b, soft.a, soft.rule));
        let mut vetoes = Vec::new();
        for soft in soft {
            let at = |address| sets.iter().position(|set| set.contains(&address)).unwrap();
            let (x, y) = (at(soft.a), at(soft.b));
            if x == y {
                continue;
            }
            // Sets are in the order of their first addresses.
            let (low, high) = (&sets[x.min(y)], &sets[x.max(y)]);
            let crosses = |(a, b): &&(AddressIndex, AddressIndex)| {
                (low.contains(a) && high.contains(b)) || (low.contains(b) && high.contains(a))
            };
            let (ours, theirs) = (self.labels_of(low), self.labels_of(high));
            let both: BTreeSet<&str> = ours.union(&theirs).copied().collect();
            let large =
                |(least, enough): (usize, u32)| low.len() > least && high.len() > least && soft.confidence_ppm < enough;
            let reason = if let Some((a, b)) = self.apart.iter().find(crosses) {
                Some(VetoReason::Apart(*a, *b))
            } else if !ours.is_empty() && !theirs.is_empty() && both.len() > 1 {
                Some(VetoReason::Labels(both.iter().map(|label| (*label).to_owned()).collect()))
            } else {
                self.growth.filter(|growth| large(*growth)).map(|_| VetoReason::Growth(low.len(), high.len()))
            };
            match reason {
                Some(reason) => vetoes.push((soft, reason)),
                None => {
                    let joined: Set = low.union(high).copied().collect();
                    sets =
                        sets.iter().filter(|set| set.is_disjoint(&joined)).cloned().chain([joined.clone()]).collect();
                    sets.sort();
                }
            }
        }
        (sets, vetoes)
    }
}

fn is_coarser(coarse: &Clusters, fine: &Clusters) -> bool {
    fine.iter().all(|(_, members)| members.iter().all(|address| coarse.is_same(*address, members[0])))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn building_is_the_definition_written_out(case in case()) {
        let built = case.build(&case.constraints());
        let (expected, vetoes) = case.naive(0);
        prop_assert_eq!(sets(&built.at(0)), expected);
        let ours: Vec<_> = built.vetoes().iter().map(|veto| (veto.soft, veto.reason.clone())).collect();
        prop_assert_eq!(ours, vetoes);
        // A cut is what the evidence above it alone would have given.
        for least in [200_000, 500_000, 1_000_000, 1_000_001] {
            prop_assert_eq!(sets(&built.at(least)), case.naive(least).0);
        }
        prop_assert_eq!(&built.at(1_000_001), built.base());
        // Everything weighed is somewhere, and what agrees is evidence too.
        let merged = built.tree().iter().map(|merge| &merge.soft);
        let mut heard: Vec<Soft> = merged.chain(built.agreeing()).copied().collect();
        prop_assert_eq!(heard.len() + built.vetoes().len(), case.soft.len());
        let view = case.chain.view();
        for least in [0, 500_000] {
            let evidence = built.evidence(view, least);
            prop_assert_eq!(case.hard().and(evidence.clone()).clusters(), built.at(least));
            heard.retain(|soft| soft.confidence_ppm >= least);
            for soft in heard.iter().filter(|soft| soft.a != soft.b) {
                let named = [soft.a.min(soft.b), soft.a.max(soft.b)];
                prop_assert!(evidence.inferences().any(|other| other.tx == soft.tx && other.addresses == named));
            }
        }
    }

    #[test]
    fn what_must_stay_apart_does(case in case()) {
        let built = case.build(&case.constraints());
        let clusters = built.at(0);
        let contradicts = |a, b| built.contradictions().contains(&Contradiction::Apart(a, b));
        for (a, b) in &case.apart {
            prop_assert_eq!(clusters.is_same(*a, *b), contradicts(*a, *b));
            prop_assert_eq!(contradicts(*a, *b), built.base().is_same(*a, *b));
        }
        // Without constraints the same evidence joins what it joined, and perhaps more.
        let free = case.build(&Constraints::default());
        prop_assert!(free.vetoes().is_empty());
        prop_assert!(is_coarser(&free.at(0), &clusters) && is_coarser(&clusters, built.base()));
        if built.vetoes().is_empty() {
            prop_assert_eq!(free.at(0), clusters);
        }
    }

    #[test]
    fn alarms_name_the_merges_of_their_cluster(case in case()) {
        let built = case.build(&Constraints::default());
        let clusters = built.at(200_000);
        let alarms = built.alarms(200_000, 100_000, usize::MAX);
        let large = |size: usize| size * 10 > clusters.addresses();
        prop_assert_eq!(alarms.len(), clusters.iter().filter(|(_, members)| large(members.len())).count());
        for alarm in alarms {
            let cluster = clusters.of(alarm.cluster).unwrap();
            let expected = built.tree().iter().filter(|m| m.soft.confidence_ppm >= 200_000 && clusters.of(m.into) == Some(cluster));
            prop_assert_eq!(alarm.merges.len(), expected.count());
            prop_assert!(alarm.merges.is_sorted_by_key(|merge| Reverse(merge.sizes.0.min(merge.sizes.1))));
            prop_assert_eq!(alarm.addresses, clusters.size(cluster));
        }
    }
}

#[test]
fn random_cases_are_worth_building() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut merges, mut apart, mut labels, mut growth, mut contradictions) = (0, 0, 0, 0, 0);
    for _ in 0..150 {
        let case = case().new_tree(&mut runner).unwrap().current();
        let built = case.build(&case.constraints());
        merges += built.tree().len();
        contradictions += built.contradictions().len();
        for veto in built.vetoes() {
            match veto.reason {
                VetoReason::Apart(..) => apart += 1,
                VetoReason::Labels(_) => labels += 1,
                VetoReason::Growth(..) => growth += 1,
                _ => unreachable!(),
            }
        }
    }
    assert!(
        merges > 300 && apart > 50 && labels > 20 && growth > 10 && contradictions > 5,
        "{merges} merges, {apart} {labels} {growth} vetoes, {contradictions} contradictions"
    );
}
