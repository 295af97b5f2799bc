//! Round trip of any record, and decoding of anything.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    model::{
        AlarmKey, AlarmReport, OperatorState, ReasonCode, Refusal, Severity, StatusChange, report_batch::ObjectTime,
        response::RefusalDetail,
    },
    storage::{
        encode::{ENVELOPE, EncodeError, Encoder, MIXED_VERSION, alarm_to_bytes},
        record::Quarantined,
    },
};

/// Any bits that survive a comparison: everything but NaN.
fn number() -> impl Strategy<Value = f64> {
    any::<u64>().prop_map(f64::from_bits).prop_filter("comparable", |value| !value.is_nan())
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp)
}

prop_compose! {
    fn alarm()(
        id in any::<u64>(), words in vec("[a-zé]{0,6}", 6), observed in prop::option::of(number()), cleared in any::<bool>(),
        times in vec(time(), 4), changes in vec((time(), prop::option::of(0_usize..5), ".{0,5}"), 0..3),
    ) -> Alarm {
        Alarm {
            id,
            key: AlarmKey {
                component: words[0].clone(), resource: words[1].clone(), alarm_type_id: words[2].clone(),
                alarm_type_qualifier: words[3].clone(),
            },
            is_cleared: cleared,
            report: AlarmReport {
                severity: Severity::Major, text: words[4].clone(), event_type: String::new(), probable_cause: words[5].clone(),
                observed, threshold: observed.map(|value| value / 3.0), additional_information: words.iter().map(|word| crate::model::alarm::Fact { name: word.clone(), value: word.clone() }).collect(),
                repair_actions: words,
            },
            raised_by: "policy:x".to_owned(),
            time_created: times[0], last_raised: times[1], last_changed: times[2],
            raise_count: id >> 7,
            operator_state: OperatorState::Acknowledged,
            status_changes: changes.into_iter()
                .map(|(time, severity, text)| StatusChange { time, severity: severity.map(|s| Severity::ALL[s]), text })
                .collect(),
            operator_actions: vec![crate::model::alarm::OperatorAction {
                time: times[3], operator: "ops".to_owned(), state: OperatorState::Closed, text: String::new(),
            }],
        }
    }
}

prop_compose! {
    fn batch()(
        heads in vec((any::<[u64; 4]>(), any::<[u32; 3]>(), vec((any::<[u32; 3]>(), number()), 0..6), "[ -ü]{0,12}"), 0..6),
    ) -> ReportBatch {
        let mut batch = ReportBatch::default();
        for (index, (long, short, samples, text)) in heads.into_iter().enumerate() {
            for (numbers, value) in samples {
                batch.names.push(numbers[0]);
                batch.resources.push(numbers[1]);
                batch.flags.push(numbers[2]);
                batch.values.push(value);
            }
            let start = u32::try_from(batch.text.len()).unwrap();
            batch.text.extend_from_slice(text.as_bytes());
            let end = u32::try_from(batch.text.len()).unwrap();
            let report = u32::try_from(index).unwrap();
            if long[0] % 3 == 0 {
                let kind = ObjectKind::ALL[usize::try_from(long[1] % 5).unwrap()];
                batch.objects.push(ObjectText { report, index: short[1], kind, start, end });
                batch.times.push(ObjectTime { report, object: short[1], time: long[3].cast_signed() });
                batch.faults.push(Fault { report, path: "extension[0]".to_owned(), message: text });
            }
            batch.reports.push(ReportHead {
                sequence: long[0], incarnation: long[1], time: long[2].cast_signed(), content_hash: long[3],
                component: short[0], slot: short[1], samples_end: u32::try_from(batch.values.len()).unwrap(),
                text_start: start, text_end: end, flags: short[2],
            });
        }
        batch
    }
}

/// Reports that are mostly alike, as those of few components are.
fn alike() -> impl Strategy<Value = ReportBatch> {
    let run =
        (vec((any::<[u32; 3]>(), number()), 0..5), 8_usize..20, any::<[u64; 4]>(), any::<[u32; 2]>(), any::<u64>());
    vec(run, 1..4).prop_map(|runs| {
        let mut batch = ReportBatch::default();
        for (samples, reports, long, short, mask) in runs {
            for number in 0..reports as u64 {
                for (numbers, value) in &samples {
                    batch.names.push(numbers[0]);
                    batch.resources.push(numbers[1]);
                    batch.flags.push(numbers[2]);
                    let moved = f64::from_bits(value.to_bits() ^ (number.wrapping_mul(long[3]) & mask));
                    batch.values.push(if moved.is_nan() { *value } else { moved });
                }
                let text_start = u32::try_from(batch.text.len()).unwrap();
                batch.text.extend(std::iter::repeat_n(b'x', usize::from(number == 3) * 9));
                batch.reports.push(ReportHead {
                    sequence: long[0].wrapping_add(number),
                    incarnation: long[1],
                    time: long[2].cast_signed(),
                    content_hash: long[3].wrapping_mul(number),
                    component: short[0],
                    slot: short[1] ^ number as u32,
                    samples_end: u32::try_from(batch.values.len()).unwrap(),
                    text_start,
                    text_end: u32::try_from(batch.text.len()).unwrap(),
                    flags: number as u32 & 3,
                });
            }
        }
        batch
    })
}

prop_compose! {
    fn policy_states()(policy in any::<u32>(), width in 0_usize..4, subjects in vec((any::<[u32; 2]>(), vec(number(), 4)), 0..4))
        -> PolicyStates {
        let mut states = PolicyStates { policy, ..PolicyStates::default() };
        for (subject, values) in subjects {
            states.components.push(subject[0]);
            states.resources.push(subject[1]);
            states.values.extend(&values[..width]);
        }
        states
    }
}

prop_compose! {
    fn record()(
        input in prop_oneof![batch(), alike()], shard in any::<u16>(), time in time(), cause in 0_usize..7, handler in any::<u32>(),
        states in vec(policy_states(), 0..3), timers in vec(any::<(u64, [u32; 3])>(), 0..3), alarms in vec(alarm(), 0..3),
        added in vec((any::<[u32; 4]>(), number()), 0..4), refused in any::<bool>(), note in "[a-z]{0,9}",
    ) -> BatchRecord {
        let reports = u32::try_from(input.len()).unwrap();
        let cause = [Cause::Reports, Cause::Tick, Cause::Manager, Cause::Operator, Cause::Start, Cause::Reload, Cause::Decision][cause];
        let added = added.into_iter().filter(|_| reports > 0);
        let detail = RefusalDetail::Sequence { incarnation: 3, last: u64::MAX };
        BatchRecord {
            shard, time, cause, handler,
            answers: vec![u8::from(refused); input.len()],
            refusals: if refused {
                vec![(0, Refusal { code: ReasonCode::Rejected, sentence: note.clone(), detail })]
            } else {
                vec![]
            },
            effects: Effects {
                added_samples: added
                    .map(|(n, value)| AddedSample { value, report: n[0] % reports, name: n[1], resource: n[2], kind: n[3] })
                    .collect(),
                policy_states: states,
                timers: timers.into_iter()
                    .map(|(at, n)| TimerChange { at, policy: n[0], component: n[1], resource: n[2], padding: 0 })
                    .collect(),
                alarms,
                quarantined: vec![Quarantined {
                    plugin: "p".to_owned(), component: "mk/a".to_owned(), time, failure: note.clone(), report: "{}".to_owned(),
                }; usize::from(refused)],
            },
            input, note,
        }
    }
}

proptest! {
    #[test]
    fn a_record_survives_the_round_trip(records in vec(record(), 1..4)) {
        let mut encoder = Encoder::new();
        for record in records {
            let bytes = encoder.encode(&record).unwrap();
            let envelope = BatchEnvelope::read(&bytes).unwrap();
            prop_assert_eq!((envelope.shard, envelope.time, envelope.cause), (record.shard, record.time, record.cause));
            prop_assert_eq!(decode(&bytes).unwrap(), record);
        }
    }

    #[test]
    fn nan_bits_and_negative_zero_survive(bits in vec(any::<u64>(), 1..9)) {
        let states = PolicyStates {
            policy: 1, components: vec![1], resources: vec![0], values: bits.iter().map(|b| f64::from_bits(*b)).collect(),
        };
        let record = BatchRecord {
            shard: 0, time: Timestamp(0), cause: Cause::Tick, handler: 0, input: ReportBatch::default(), answers: vec![],
            refusals: vec![], effects: Effects { policy_states: vec![states], ..Effects::default() }, note: String::new(),
        };
        let back = decode(&Encoder::new().encode(&record).unwrap()).unwrap();
        let back: Vec<u64> = back.effects.policy_states[0].values.iter().map(|v| v.to_bits()).collect();
        prop_assert_eq!(back, bits);
    }

    #[test]
    fn an_alarm_survives_the_state_database(alarm in alarm()) {
        prop_assert_eq!(alarm_from_bytes(&alarm_to_bytes(&alarm).unwrap()).unwrap(), alarm);
    }

    #[test]
    fn damaged_records_never_panic(record in record(), at in any::<prop::sample::Index>(), change in 1_u8.., cut in any::<prop::sample::Index>()) {
        let bytes = Encoder::new().encode(&record).unwrap();
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] ^= change;
        let _ = decode(&changed);
        prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn damage_within_the_compressed_part_never_panics(
        mut raw in vec(any::<u8>(), 0..300), counts in vec(0_u32..5, COUNTS), reports in 0_u32..4,
        version in PLAIN_VERSION..ALIKE_VERSION,
    ) {
        // Plausible counts in front of anything, rightly compressed: this reaches every column.
        let mut columns: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
        columns.append(&mut raw);
        let mut bytes = vec![version, 0, 0, 0];
        bytes.extend(reports.to_le_bytes());
        bytes.extend(u32::try_from(columns.len()).unwrap().to_le_bytes());
        bytes.extend([0; 8]);
        assert_eq!(bytes.len(), ENVELOPE);
        bytes.extend(lz4_flex::block::compress(&columns));
        let _ = decode(&bytes);
    }

    #[test]
    fn damage_within_what_is_not_compressed_never_panics(
        mut open in vec(prop_oneof![3 => 0_u8..5, 1 => any::<u8>()], 0..300), counts in vec(0_u32..5, COUNTS), reports in 0_u32..4,
        runs in 0_u32..4, raw_bytes in 0_u32..200,
    ) {
        let mut bytes = vec![ALIKE_VERSION, 0, 0, 0];
        bytes.extend([reports, raw_bytes, 0, 0].into_iter().flat_map(u32::to_le_bytes));
        assert_eq!(bytes.len(), ENVELOPE);
        let counts = counts.iter().enumerate().map(|(place, count)| if place == 1 { reports } else { *count });
        bytes.extend(counts.chain([runs]).flat_map(u32::to_le_bytes));
        bytes.append(&mut open);
        let _ = decode(&bytes);
    }

    #[test]
    fn reports_that_are_alike_are_written_as_such(input in alike()) {
        let reports = input.len();
        let record = BatchRecord { answers: vec![0; reports], input, ..empty() };
        let bytes = Encoder::new().encode(&record).unwrap();
        prop_assert_eq!(bytes[0], ALIKE_VERSION);
        prop_assert_eq!(decode(&bytes).unwrap(), record);
    }

    #[test]
    fn any_bytes_never_panic(bytes in vec(any::<u8>(), 0..100)) {
        let _ = decode(&bytes);
    }
}

fn empty() -> BatchRecord {
    BatchRecord {
        shard: 0,
        time: Timestamp(0),
        cause: Cause::Reports,
        handler: 0,
        input: ReportBatch::default(),
        answers: vec![],
        refusals: vec![],
        effects: Effects::default(),
        note: String::new(),
    }
}

#[test]
fn an_uneven_batch_is_refused_before_it_is_stored() {
    let mut record = empty();
    record.input.values.push(1.0);
    assert!(matches!(Encoder::new().encode(&record), Err(EncodeError::Uneven(_))));
    record.input.values.clear();
    record.input.reports.push(ReportHead { samples_end: 1, ..ReportHead::default() });
    assert!(matches!(Encoder::new().encode(&record), Err(EncodeError::Uneven(_))));
}

/// Of the layout before: heads of 56 bytes and values as they stand.
#[test]
fn a_batch_of_the_layout_before_is_read() {
    let head = |sequence, samples_end| ReportHead { sequence, samples_end, ..ReportHead::default() };
    let (heads, values) = ([head(7, 2), head(8, 4)], [0.5, 1.5, 2.5, 3.5]);
    let counts: [u32; COUNTS] = [3, 2, 4, 0, 0, 2, 0, 0, 0, 0];
    let mut columns = bytemuck::cast_slice::<u32, u8>(&counts).to_vec();
    columns.extend_from_slice(bytemuck::cast_slice(&heads));
    columns.extend_from_slice(bytemuck::cast_slice(&values));
    for number in [9_u32, 0, 1].into_iter().flat_map(|number| [number; 4]) {
        columns.extend(number.to_le_bytes());
    }
    columns.extend([0; 2]);
    let mut bytes = vec![PLAIN_VERSION, 0, 0, 0];
    bytes.extend(2_u32.to_le_bytes());
    bytes.extend(u32::try_from(columns.len()).unwrap().to_le_bytes());
    bytes.extend(5_i64.to_le_bytes());
    bytes.extend(lz4_flex::block::compress(&columns));
    let record = decode(&bytes).unwrap();
    assert_eq!((record.time, record.handler, record.input.reports.as_slice()), (Timestamp(5), 3, &heads[..]));
    assert_eq!((record.input.values.as_slice(), record.input.names.as_slice()), (&values[..], &[9; 4][..]));
    assert_eq!(decode(&Encoder::new().encode(&record).unwrap()), Ok(record));
}

#[test]
fn a_wrong_version_and_an_absurd_size_are_named() {
    let mut bytes = vec![0; ENVELOPE];
    bytes[0] = 9;
    assert_eq!(decode(&bytes), Err(DecodeError::Version(9)));
    bytes[0] = MIXED_VERSION;
    bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(decode(&bytes), Err(DecodeError::TooLarge(u32::MAX as usize)));
    bytes[8..12].copy_from_slice(&(1_u32 << 27).to_le_bytes());
    assert_eq!(decode(&bytes), Err(DecodeError::Compression));
}
