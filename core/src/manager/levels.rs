//! The levels of the network for `/metrics`: of each value of the catalogue the least, the greatest and the mean over all
//! that report it, by reference point. As many figures as the catalogue has names, however large the network is.

use std::collections::BTreeMap;

use crate::{
    alarm::AlarmBoard,
    api::views::{NetworkLevel, SilentCount},
    dispatch::Registry,
    model::{ReferencePoint, Symbol, SymbolTable, report_batch::SampleKind, report_batch::sample_kind},
};

/// Levels of all numbers that stand in the catalogue, in the order of reference points and symbols.
pub(super) fn of(registry: &Registry, symbols: &SymbolTable) -> Vec<NetworkLevel> {
    let mut sums: BTreeMap<(usize, u32), NetworkLevel> = BTreeMap::new();
    for entry in registry.all() {
        let Some(view) = entry.view.load_full() else { continue };
        let point = entry.component.reference_point;
        for value in &view.values.0 {
            let is_number = sample_kind(value.kind) == SampleKind::Number && value.value.is_finite();
            if !is_number || !symbols.is_catalogued(Symbol(value.name)) {
                continue;
            }
            let level = sums.entry((point.index(), value.name)).or_insert_with(|| NetworkLevel {
                reference_point: point,
                value: symbols.text(Symbol(value.name)).as_ref().to_owned(),
                count: 0,
                least: f64::INFINITY,
                greatest: f64::NEG_INFINITY,
                mean: 0.0,
            });
            level.count += 1;
            level.least = level.least.min(value.value);
            level.greatest = level.greatest.max(value.value);
            // The running mean: a sum could overflow where no mean does.
            #[expect(clippy::cast_precision_loss, reason = "a mean")]
            let share = (value.value - level.mean) / level.count as f64;
            level.mean += share;
        }
    }
    sums.into_values().collect()
}

/// Components that are held for silent, by reference point.
pub(super) fn silent(board: &AlarmBoard) -> Vec<SilentCount> {
    let mut counts = ReferencePoint::ALL.map(|reference_point| SilentCount { reference_point, components: 0 });
    for alarm in board.all() {
        let is_silence = alarm.key.alarm_type_id == super::backend::SILENT && alarm.raised_by == "manager";
        if alarm.is_cleared || !is_silence {
            continue;
        }
        let point = alarm.key.component.split_once('/').and_then(|(point, _)| point.parse::<ReferencePoint>().ok());
        if let Some(count) = point.and_then(|point| counts.get_mut(point.index())) {
            count.components += 1;
        }
    }
    counts.to_vec()
}
