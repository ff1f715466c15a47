//! The public types: all of them are `Debug`, and those that are shared can be.

use std::fmt::Debug;

use fundtrace::chain::{Counts, Fate, Input, NewInput, NewTx, Output, OutputSet, OutputSetIter, ScriptType, Spent, Tx};
use fundtrace::change;
use fundtrace::cluster::build::{Alarm, Contradiction, Merge, Veto, VetoReason};
use fundtrace::cluster::graph::Flow;
use fundtrace::cluster::{
    self, Built, Clusters, Constraints, Derivation, Evidence, History, Inference, Merged, Proofs, Soft, Statistics,
    Step,
};
use fundtrace::detect::coinjoin::Rules;
use fundtrace::detect::coinjoin::change::ChangeLink;
use fundtrace::detect::links::{IntraFees, Limits, Links, Matrix, Ways};
use fundtrace::detect::memo::chainflip::Swap;
use fundtrace::detect::memo::thorchain::{Action, Asset, Holding, Memo};
use fundtrace::detect::{self, Confidence, Feature, Finding, Verdict, dormant::Terms};
use fundtrace::eval::{
    self, Agreement, Ari, Attribution, Bootstrap, Cell, ChangeCase, ChangeRow, ChangeScore, ChangeStudy, ClassScore,
    ClusterRow, ClusterStudy, Clustering, Decoys, Detection, Interval, Label, Landing, OwnerPart, Pick, Ratio,
    RouteScore, Score, Scorecard, StudyOptions, TaintRow, TaintStudy,
};
use fundtrace::graph::{Node, Spend, Visited};
use fundtrace::id::{InputIndex, TheftIndex};
use fundtrace::report::{
    Arrived, Classification, Conventions, Facts, Given, Manifest, OwnersGiven, PeelsGiven, Report, Seen, Sentence,
    Spread, tagpack::Head,
};
use fundtrace::service::{custodial_mixer, deposit, hot_wallet, peel, pool, processor};
#[cfg(feature = "simulate")]
use fundtrace::simulate::{BlockFiles, Card, CardRow, Mined, Programme, Stage, World, WorldSpec};
use fundtrace::source::{FileSet, Form, csv::Dump};
use fundtrace::spec::{Case, Place, ResolvedSeed, Rule, SeedEntry, SeedSpec, TagEntry};
use fundtrace::tag::{self, Conflict, Date, Inferred, Level, Listing, Pack, Tag, Tags, Unusable};
use fundtrace::taint::{
    Fifo, Haircut, Juniority, Lifo, Lot, Origin, Part, Poison, Poisoned, Runs, Seniority, Shares, Taint, Tiho,
};
use fundtrace::trace::route::{Order, Route, RouteOptions, RouteStep, Routes, Share, Width};
use fundtrace::trace::stop::{AsOf, Below, Budget, Hops, Never, Or, Stop, Tagged, When};
use fundtrace::trace::{
    Balance, Bound, BoundLimits, Burned, Carry, CoinbaseOrder, ConnectLimit, ConnectLimits, Connection, Displaced, End,
    FeeTaint, Fees, Fold, Folded, FoldedStep, Gap, Inside, Lead, Leads, Link, Missing, Most, Options, Overlap, Owner,
    Owners, Path, PathLimit, PathLimits, PathStep, Paths, Policy, Reason, Seed, Seeded, Touch, Trace, Transfer, Via,
    Visit,
};
use fundtrace::trace::{Behind, Consolidation, Crossing, How, Linked, Mix, MixSheet, MixStop, Mixes, Mode, Through};
use fundtrace::trace::{CategoryExposure, ExposedTo, Exposure, ExposureRow, HopBucket};
use fundtrace::truth::{
    Account, Entity, EntityKind, Exit, Handover, Kind, OutputTruth, Role, Row, Stolen, Theft, Truth, TxTruth,
};
use fundtrace::{
    AddressIndex, BlockHeight, Chain, ChainBuilder, ClusterIndex, EntityIndex, Error, OutputIndex, SourceIndex,
    TxIndex, View,
};

fn plain<T: Debug + Send + Sync>() {}

type Nothing = change::Nothing;

#[test]
fn public_types_are_debug_send_and_sync() {
    plain::<(AddressIndex, BlockHeight, InputIndex, OutputIndex, SourceIndex, TxIndex, Error)>();
    plain::<(Chain, ChainBuilder, View<'_>, Tx<'_>, Input<'_>, Output<'_>, OutputSet, Spent, ScriptType, Counts)>();
    plain::<(NewTx, NewInput, Fate, Form, FileSet<'_>, Dump<&[u8]>)>();
    plain::<(Node, Spend, Visited)>();
    plain::<(Fifo, Haircut, Juniority, Lifo, Poison, Seniority, Tiho)>();
    plain::<(Lot<Runs>, Origin, Part, Poisoned, Runs, Shares)>();
    plain::<(Confidence, Feature, Finding, detect::Kind, detect::Options, Rules, Terms, Verdict)>();
    plain::<(Action, Asset, Holding, IntraFees, Limits, Links, Matrix, Memo, Swap, Ways)>();
    plain::<(tag::Confidence, Conflict<'_>, Date, tag::Form, Inferred, Level, Listing, Pack, Unusable)>();
    plain::<(cluster::Carried, Tag, Tags, OutputSetIter<'_>)>();
    plain::<(change::Payment<'_>, change::Funds, change::Paid, change::Guess, change::Ballot, change::Votes<Nothing>)>(
    );
    plain::<(change::Fingerprint, change::Fingerprints, change::Mask, change::Published, change::Rule)>();
    plain::<(change::AddressReuse, change::AddressType, change::Client, change::Ermilov, change::Fresh)>();
    plain::<(change::LastOutput, change::Legacy<fn()>, change::Meiklejohn, Nothing, change::OptimalChange)>();
    plain::<(change::OptimalFee, change::PowerOfTen, change::Shadow, change::TypeUnanimous, change::Uih1, change::Uih2)>(
    );
    plain::<(change::ClusterMember<fn()>, change::Consumer, change::FixedFee, change::Graphsense, change::LockTime)>();
    plain::<(
        change::MeiklejohnGlobal,
        change::MeiklejohnWait,
        change::Peeling,
        change::SameFingerprint<'_>,
        change::Spent,
    )>();
    plain::<(change::TwoHops<fn()>, change::And<Nothing, Nothing>, change::Or<Nothing, Nothing>)>();
    plain::<(change::Minus<Nothing, Nothing>, change::Unique<Nothing>, change::Unless<Nothing, fn()>)>();
    plain::<(change::InHindsight<Nothing>, change::Context<'_>, ChangeRow, ChangeStudy)>();
    plain::<(ClusterRow, ClusterStudy, cluster::Guard)>();
    plain::<change::Vote>();
    plain::<(
        Clusters,
        Derivation,
        Evidence,
        History,
        Inference<'_>,
        Merged,
        Proofs,
        cluster::Rule,
        Statistics,
        Step,
        cluster::Basis,
        cluster::Link,
    )>();
    plain::<(Alarm, Built, Constraints, Contradiction, Merge, Soft, Veto, VetoReason)>();
    plain::<(cluster::Graph, cluster::graph::Node, Flow, ClusterIndex)>();
    plain::<(AsOf, Below, Budget, Hops, Never, Or<Hops, Never>, Tagged<'_>, When<fn()>)>();
    plain::<(Balance, Burned, Carry, CoinbaseOrder, Displaced, End, FeeTaint, Fees, Lead, Leads, Missing)>();
    plain::<(Options, Overlap, Path, PathLimit, PathLimits, PathStep, Paths, Policy, Reason, Seed)>();
    plain::<(Seeded, Touch, Trace<'_>, Via, Visit<'_>)>();
    plain::<(fundtrace::trace::Holding, Inside, Owner, Owners<'_>, Transfer, OwnersGiven)>();
    plain::<(ConnectLimit, ConnectLimits, Connection, Link)>();
    plain::<(Behind, ChangeLink, Consolidation, Crossing, How, Linked, Mix, MixSheet, Mode)>();
    plain::<(MixStop<'_>, Mixes, Through)>();
    plain::<(Bound, BoundLimits, Gap, Most, fundtrace::trace::Place)>();
    plain::<(Order, Route, RouteOptions, RouteStep, Routes, Share, Width)>();
    plain::<(Case, Place, ResolvedSeed, Rule, SeedEntry, SeedSpec, TagEntry)>();
    plain::<(EntityIndex, TheftIndex, Truth, Row, Entity, EntityKind, Account, Theft, TxTruth, OutputTruth, Exit)>();
    plain::<(Handover, Kind, Role, Stolen)>();
    plain::<(Agreement, Ari, Attribution, Bootstrap, Cell, ChangeCase<'_>, ChangeScore, ClassScore, Clustering)>();
    plain::<(Decoys, Detection<u8>, Interval, Label<u8>, Landing, OwnerPart, Pick<'_>, Ratio, RouteScore)>();
    plain::<(Score, Scorecard, StudyOptions, TaintRow, TaintStudy)>();
    #[cfg(feature = "simulate")]
    plain::<(BlockFiles, Card, CardRow, Mined, Programme, Stage, World, WorldSpec)>();
    plain::<(eval::PayoutScore, eval::PeelScore, Fold, Folded, FoldedStep)>();
    plain::<(peel::Chain, peel::Known<'_>, peel::Peels<'_>, peel::Ratio, peel::Step, peel::Stop, peel::Terms)>();
    plain::<(custodial_mixer::Candidate, custodial_mixer::Decoys, custodial_mixer::Payouts, custodial_mixer::Terms)>();
    plain::<(pool::Pool, processor::Processor, processor::Terms)>();
    plain::<(CategoryExposure, ExposedTo, Exposure, ExposureRow, HopBucket)>();
    plain::<(deposit::Deposit, deposit::Deposits, deposit::Terms, eval::DepositScore, eval::DepositUse)>();
    plain::<(hot_wallet::ColdWallet, hot_wallet::How, hot_wallet::HotWallet, fundtrace::trace::stop::Classified<'_>)>();
    plain::<(Classification, Head, Sentence, PeelsGiven)>();
    plain::<(fundtrace::trace::Exit, fundtrace::trace::Grade, fundtrace::trace::LeadOrder, fundtrace::trace::Rank)>();
    plain::<(Arrived, Conventions, Facts, Given, Manifest, Report<'_, '_>, Seen, Spread)>();
}

#[test]
fn rules_and_stops_work_behind_references_and_boxes() {
    fn rule<T: Taint>(rule: T) -> &'static str {
        rule.name()
    }
    fn stop<S: Stop>(stop: S) -> String {
        stop.describe()
    }
    let by_reference: &Fifo = &Fifo;
    assert_eq!(rule(by_reference), "fifo");
    let boxed: Box<dyn Stop> = Box::new(fundtrace::trace::stop::hops(3));
    assert_eq!(stop(&boxed), "hops 3");
    assert_eq!(stop(boxed), "hops 3");
}

#[test]
fn an_error_is_a_standard_error_with_a_place() {
    let error: Box<dyn std::error::Error + Send + Sync> =
        Box::new("x".parse::<SeedSpec>().unwrap_err().within("case.toml"));
    assert!(error.to_string().starts_with("case.toml: seed \"x\""));
}
