//! Reading a truth file: each row is checked against the chain when it comes, names of things that may stand in later lines at the end.

use std::io::BufRead;

use bitcoin::Amount;

use super::known::{Hands, NO_ROW, NOBODY, NOT_SAID};
use super::{Account, Entity, Handover, OutputTruth, Row, Stolen, Theft, Truth, TxTruth};
use crate::chain::{Output, Tx, View};
use crate::error::{At, Error, SourceError, TruthError};
use crate::id::{self, BlockHeight};
use crate::source::lines::Lines;

/// A transaction of 4 MB has fewer than 130,000 outputs and a row tells of each in some 100 bytes; parsed they take fewer than 20 times the
/// bytes of the shortest line.
const LINE_BYTES_MAX: u64 = 16 << 20;

const EXPECTED: &str = "a row: {\"entity\":..}, {\"account\":..}, {\"theft\":..}, {\"tx\":..} or {\"handover\":..}";

pub(super) fn read(view: View<'_>, reader: impl BufRead) -> Result<Truth, Error> {
    let mut lines = Lines::new(reader, At::Line).bytes_max(LINE_BYTES_MAX);
    let mut builder = Builder::new(view);
    while let Some((at, line)) = lines.next()? {
        let row = serde_json::from_slice(line).map_err(|error| SourceError::json(at, EXPECTED, error))?;
        builder.insert(at, row)?;
    }
    Ok(builder.finish()?)
}

/// Rows so far.
pub(super) struct Builder<'c> {
    view: View<'c>,
    truth: Truth,
    entities: Numbered<Entity>,
    accounts: Numbered<Account>,
    thefts: Numbered<Theft>,
}

impl<'c> Builder<'c> {
    pub(super) fn new(view: View<'c>) -> Self {
        let view = view.unbounded();
        let (outputs, txs) = (id::at(view.columns().layout().head.outputs), view.columns().txs());
        let truth = Truth {
            entities: Vec::new(),
            accounts: Vec::new(),
            thefts: Vec::new(),
            owners: vec![NOBODY; outputs],
            roles: vec![NO_ROW; outputs],
            kinds: vec![NO_ROW; txs],
            address_owners: vec![NOBODY; view.addresses()],
            account_of: Vec::new(),
            stolen: Vec::new(),
            hands: Vec::new(),
        };
        let (entities, accounts, thefts) = (Numbered::new("entity"), Numbered::new("account"), Numbered::new("theft"));
        Self { view, truth, entities, accounts, thefts }
    }

    pub(super) fn insert(&mut self, at: At, row: Row) -> Result<(), TruthError> {
        match row {
            Row::Entity(entity) => self.entities.rows.push((entity.index, at, entity)),
            Row::Account(account) => {
                self.entities.name(at, account.service);
                self.entities.name(at, account.customer);
                self.accounts.rows.push((account.index, at, account));
            }
            Row::Theft(theft) => {
                self.entities.name(at, theft.thief);
                self.entities.name(at, theft.victim);
                self.thefts.rows.push((theft.index, at, theft));
            }
            Row::Tx(tx) => self.insert_tx(at, &tx)?,
            Row::Handover(handover) => self.insert_handover(at, handover)?,
        }
        Ok(())
    }

    fn insert_tx(&mut self, at: At, row: &TxTruth) -> Result<(), TruthError> {
        let txid = row.txid;
        // The coinbases of a BIP30 pair have one txid: the first row is of the first of them.
        let mut found = self.view.columns().find_txs(&txid).peekable();
        found.peek().ok_or(TruthError::NoTx { at, txid })?;
        let twice = || TruthError::Twice { at, what: format!("transaction {txid}") };
        let index = found.find(|index| self.truth.kinds[index.at()] == NO_ROW).ok_or_else(twice)?;
        self.truth.kinds[index.at()] = row.kind.map_or(NOT_SAID, super::Kind::code);
        if row.outputs.is_empty() {
            return Ok(());
        }
        let tx = self.view.tx(index);
        let count = |has| TruthError::Outputs { at, txid, given: row.outputs.len(), has };
        // Of a stub only the outputs that are spent are known, and a row may tell of more.
        if !tx.is_stub() && tx.outputs().len() != row.outputs.len() {
            return Err(count(tx.outputs().len()));
        }
        for output in tx.outputs() {
            let vout = id::at(output.vout());
            let truth = row.outputs.get(vout).ok_or_else(|| count(vout.saturating_add(1)))?;
            self.insert_output(at, output, truth)?;
        }
        Ok(())
    }

    fn insert_output(&mut self, at: At, output: Output<'c>, row: &OutputTruth) -> Result<(), TruthError> {
        let index = output.index();
        self.truth.roles[index.at()] = row.role.map_or(NOT_SAID, super::Role::code);
        if let Some(owner) = row.owner {
            self.entities.name(at, owner);
            self.truth.owners[index.at()] = owner;
            if let Some(address) = output.address_index() {
                let first = &mut self.truth.address_owners[address.at()];
                if *first != NOBODY && *first != owner {
                    let (outpoint, address) = (output.outpoint(), Box::new(self.view.address(address)));
                    return Err(TruthError::TwoOwners { at, outpoint, address, first: *first, second: owner });
                }
                *first = owner;
            }
        }
        if let Some(account) = row.account {
            self.accounts.name(at, account);
            self.truth.account_of.push((index, account));
        }
        if let Some(stolen) = self.loot(at, output, row.stolen)? {
            self.truth.stolen.push((index, stolen));
        }
        Ok(())
    }

    fn insert_handover(&mut self, at: At, row: Handover) -> Result<(), TruthError> {
        let outpoint = row.output;
        let output = self.view.output_at(outpoint).ok_or(TruthError::NoOutput { at, outpoint })?;
        let height = BlockHeight::from_u32(row.height);
        let hands = |what| TruthError::Hands { at, outpoint, height, what };
        if let Some(made) = output.tx().height().filter(|made| *made > height) {
            return Err(hands(format!("made at height {made}")));
        }
        if let Some(spent) = output.spender().and_then(Tx::height).filter(|spent| *spent < height) {
            return Err(hands(format!("spent at height {spent}")));
        }
        self.entities.name(at, row.to);
        if let Some(account) = row.account {
            self.accounts.name(at, account);
        }
        let stolen = self.loot(at, output, row.stolen)?;
        let hands = Hands { output: output.index(), height, to: row.to, account: row.account, stolen };
        self.truth.hands.push(hands);
        Ok(())
    }

    /// No more than the output holds, where that is known, or than there is. A row that says that 0 sat are loot says that none is.
    fn loot(&mut self, at: At, output: Output<'c>, stolen: Option<Stolen>) -> Result<Option<Stolen>, TruthError> {
        let Some(Stolen { theft, sat }) = stolen else {
            return Ok(None);
        };
        self.thefts.name(at, theft);
        let value = output.value().unwrap_or(Amount::MAX_MONEY);
        if sat > value.to_sat() {
            return Err(TruthError::TooMuch { at, outpoint: output.outpoint(), stolen: sat, value });
        }
        Ok(stolen.filter(|stolen| stolen.sat > 0))
    }

    pub(super) fn finish(self) -> Result<Truth, TruthError> {
        let Self { view, mut truth, entities, accounts, thefts } = self;
        truth.entities = entities.finish()?;
        truth.accounts = accounts.finish()?;
        truth.thefts = thefts.finish()?;
        // No output twice: its transaction has one row.
        truth.account_of.sort_unstable_by_key(|(output, _)| *output);
        truth.stolen.sort_unstable_by_key(|(output, _)| *output);
        truth.hands.sort_by_key(|hands| (hands.output, hands.height));
        debug_assert!(truth.stolen.iter().all(|(output, _)| view.output(*output).index() == *output));
        Ok(truth)
    }
}

/// Rows that number something from 0, in any order, and the greatest number by which a row names one.
struct Numbered<T> {
    what: &'static str,
    rows: Vec<(u32, At, T)>,
    named: Option<(u32, At)>,
}

impl<T> Numbered<T> {
    fn new(what: &'static str) -> Self {
        Self { what, rows: Vec::new(), named: None }
    }

    fn name(&mut self, at: At, number: u32) {
        if self.named.is_none_or(|(greatest, _)| number > greatest) {
            self.named = Some((number, at));
        }
    }

    fn finish(mut self) -> Result<Vec<T>, TruthError> {
        let what = self.what;
        self.rows.sort_by_key(|(number, ..)| *number);
        for (expected, (number, at, _)) in self.rows.iter().enumerate() {
            let (number, at) = (*number, *at);
            match id::at(number).cmp(&expected) {
                std::cmp::Ordering::Equal => {}
                std::cmp::Ordering::Less => return Err(TruthError::Twice { at, what: format!("{what} {number}") }),
                std::cmp::Ordering::Greater => {
                    return Err(TruthError::Gap { at, what, number, missing: id::small(expected) });
                }
            }
        }
        match self.named.filter(|(number, _)| id::at(*number) >= self.rows.len()) {
            Some((number, at)) => Err(TruthError::Nothing { at, what, number }),
            None => Ok(self.rows.into_iter().map(|(.., row)| row).collect()),
        }
    }
}
