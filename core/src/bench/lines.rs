//! What the components of each reference point report in a measurement: lines whose numbers are patched in place.
//!
//! A component sends its usual line (performance and state, 12 values) and, every [`SELDOM`] reports, one with what a
//! real one sends now and then: inventory, topology, usage, an event. Knows JSON only as text.

use crate::model::{ReferencePoint, Timestamp};

/// Of so many reports one carries what is sent seldom.
pub const SELDOM: u64 = 64;

/// Digits of a sequence number in a line; fixed, so that lines can be patched in place.
const DIGITS: usize = 12;
/// Digits of a value that moves a little from report to report.
const MOVING_DIGITS: usize = 4;

/// A place in a line.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    is_sequence: bool,
}

/// A line with places for numbers.
struct Line {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

impl Line {
    /// `#S` in the text becomes the sequence number, `#V` four digits that move.
    fn new(text: &str) -> Self {
        let (mut bytes, mut places) = (Vec::with_capacity(text.len() + 64), Vec::new());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('#') {
            bytes.extend_from_slice(before.as_bytes());
            let is_sequence = after.starts_with('S');
            places.push(Place { at: bytes.len(), is_sequence });
            let digits = if is_sequence { DIGITS } else { MOVING_DIGITS };
            bytes.extend(std::iter::repeat_n(b'0', digits));
            rest = after.get(1..).unwrap_or_default();
        }
        bytes.extend_from_slice(rest.as_bytes());
        bytes.push(b'\n');
        Self { bytes, places }
    }

    fn write(&mut self, sequence: u64, out: &mut Vec<u8>) {
        for place in &self.places {
            let (digits, number) =
                if place.is_sequence { (DIGITS, sequence) } else { (MOVING_DIGITS, 5_304 + sequence % 97) };
            let mut number = number;
            for digit in self.bytes.get_mut(place.at..place.at + digits).unwrap_or_default().iter_mut().rev() {
                *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
                number /= 10;
            }
        }
        out.extend_from_slice(&self.bytes);
    }
}

/// One component's reports.
pub struct Reporter {
    usual: Line,
    seldom: Line,
    sequence: u64,
}

impl Reporter {
    /// A component of this reference point, numbering its reports in this incarnation.
    #[must_use]
    pub fn new(point: ReferencePoint, id: &str, incarnation: u64, now: Timestamp) -> Self {
        let head = format!(
            r##"{{"messageType":"statusReport","componentId":"{id}","incarnation":{incarnation},"sequence":1#S,"extension":["##
        );
        let usual = usual(point);
        let seldom = seldom(point, incarnation, now);
        Self {
            usual: Line::new(&format!("{head}{usual}]}}")),
            seldom: Line::new(&format!("{head}{usual},{seldom}]}}")),
            sequence: 0,
        }
    }

    /// Bytes of the usual line.
    #[must_use]
    pub fn line_bytes(&self) -> usize {
        self.usual.bytes.len()
    }

    /// Appends the next report.
    pub fn next(&mut self, out: &mut Vec<u8>) {
        self.sequence += 1;
        let line = if self.sequence.is_multiple_of(SELDOM) { &mut self.seldom } else { &mut self.usual };
        line.write(self.sequence, out);
    }
}

/// Performance and state, 12 values together.
const fn usual(point: ReferencePoint) -> &'static str {
    match point {
        ReferencePoint::Mq => concat!(
            r#"{"type":"performance","values":{"qber_ratio":0.021#V,"secret_key_rate_bps":184#V,"#,
            r#""sifted_key_rate_bps":90#V,"raw_key_rate_bps":181000,"visibility_ratio":0.987,"#,
            r#""detection_rate_cps":21#V,"dark_count_rate_cps":410,"detector_temperature_celsius":-50.2,"#,
            r#""laser_power_dbm":-3.1,"keys_generated_bits":815#V}},"#,
            r#"{"type":"state","values":{"qkdi_status":"ENABLED","distillation_state":"generating"}}"#
        ),
        ReferencePoint::Mops => concat!(
            r#"{"type":"performance","values":{"link_loss_db":7.1#V,"insertion_loss_db":1.2,"switching_time_ms":11.5,"#,
            r#""qber_ratio":0.021#V,"link_distance_km":33.5,"enclosure_temperature_celsius":24.5}},"#,
            r#"{"type":"state","values":{"switch_state":"idle","qkdl_status":"ACTIVE","synchronization_state":"locked","#,
            r#""operational_state":"enabled","enclosure_open":false,"tamper_detected":false}}"#
        ),
        ReferencePoint::Mqrp => concat!(
            r#"{"type":"performance","values":{"link_loss_db":7.1#V,"measurement_rate_cps":52#V,"#,
            r#""measurement_error_ratio":0.012,"qber_ratio":0.021#V,"detection_rate_cps":21#V,"dark_count_rate_cps":395,"#,
            r#""link_distance_km":61.0}},{"type":"state","values":{"relay_point_state":"measuring","#,
            r#""qkdl_status":"ACTIVE","synchronization_state":"locked","enclosure_open":false,"tamper_detected":false}}"#
        ),
        ReferencePoint::Mk => concat!(
            r#"{"type":"performance","values":{"key_store_level_bits":81#V,"key_store_capacity_bits":1048576,"#,
            r#""key_store_fill_ratio":0.7775,"key_input_rate_bps":10240,"key_output_rate_bps":9216,"#,
            r#""relay_count":51234,"relay_failure_count":3,"relay_latency_ms":4.25,"throughput_bps":9216,"#,
            r#""key_response_delay_ms":1.75}},"#,
            r#"{"type":"state","values":{"kma_link_state":"up","ksa_link_state":"up"}}"#
        ),
        ReferencePoint::Mc => concat!(
            r#"{"type":"performance","values":{"active_relay_path_count":41,"reroute_count":1#V,"route_failure_count":2,"#,
            r#""route_computation_delay_ms":3.5,"session_setup_delay_ms":12.25,"access_denied_count":7,"#,
            r#""cpu_load_ratio":0.31,"relay_count":51234,"relay_latency_ms":4.25,"qber_ratio":0.021#V}},"#,
            r#"{"type":"state","values":{"controller_role":"active","operational_state":"enabled"}}"#
        ),
        ReferencePoint::Mu => concat!(
            r#"{"type":"performance","values":{"throughput_bps":92#V,"key_response_delay_ms":1.75,"#,
            r#""key_response_delay_variation_ms":0.25,"key_delivery_error_ratio":0.0,"key_delivery_loss_ratio":0.0001,"#,
            r#""availability_ratio":0.99991,"service_restoration_time_s":0.5,"supply_request_count":51#V,"#,
            r#""supply_rejection_count":3,"key_demand_bps":9216}},"#,
            r#"{"type":"state","values":{"service_state":"available","app_status":"ON"}}"#
        ),
        ReferencePoint::Mx => concat!(
            r#"{"type":"performance","values":{"qber_ratio":0.021#V,"secret_key_rate_bps":184#V,"link_loss_db":7.1,"#,
            r#""link_distance_km":80.0,"key_store_level_bits":81#V,"key_store_fill_ratio":0.7775,"throughput_bps":9216,"#,
            r#""key_response_delay_ms":1.75,"availability_ratio":0.99991,"key_delivery_loss_ratio":0.0001}},"#,
            r#"{"type":"state","values":{"service_state":"available","operational_state":"enabled"}}"#
        ),
    }
}

/// What comes with every [`SELDOM`]th report.
fn seldom(point: ReferencePoint, incarnation: u64, now: Timestamp) -> String {
    match point {
        ReferencePoint::Mq | ReferencePoint::Mqrp | ReferencePoint::Mops => concat!(
            r#"{"type":"inventory","values":{"vendor":"acme","model":"q2","serial_number":"4711","#,
            r#""software_version":"2.4.1","site":"vienna","max_loss_db":12.5}}"#
        )
        .to_owned(),
        ReferencePoint::Mk => format!(
            r##"{{"type":"usage","usageId":"{incarnation}-#S","application":"app-7","user":"bank","startTime":"{}","endTime":"{now}","suppliedKeys":12,"consumedBits":3072}}"##,
            now.plus(-60_000)
        ),
        ReferencePoint::Mc => concat!(
            r#"{"type":"topology","links":[{"id":"l-1","a":"qn-1","b":"qn-2","state":"up"},"#,
            r#"{"id":"l-2","a":"qn-2","b":"qn-3","state":"up"}],"routes":[{"id":"r-1","hops":["qn-1","qn-2","qn-3"]}]}"#
        )
        .to_owned(),
        ReferencePoint::Mu | ReferencePoint::Mx => r#"{"type":"event","name":"session-renewed"}"#.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Catalogue, ReportBatch, SymbolTable},
        wire::{DecodeOptions, Decoded, Decoder},
    };

    #[test]
    fn every_line_is_a_report_of_twelve_values_without_a_fault() {
        let symbols = SymbolTable::new();
        Catalogue::get().intern(&symbols);
        let now = Timestamp(1_790_000_000_000);
        let options = DecodeOptions { symbols: &symbols, now, keep_raw: false, exchange: false };
        let mut decoder = Decoder::new();
        for point in ReferencePoint::ALL {
            let mut reporter = Reporter::new(point, "x-1", 3, now);
            for number in 1..=SELDOM {
                let (mut line, mut batch) = (Vec::new(), ReportBatch::default());
                reporter.next(&mut line);
                line.pop();
                let decoded = decoder.decode(&line, &mut batch, &options);
                assert!(matches!(decoded, Decoded::Report { .. }), "{point}: {decoded:?}");
                assert_eq!((batch.values.len(), batch.faults.len()), (12, 0), "{point}: {:?}", batch.faults);
                assert_eq!(batch.reports[0].sequence, 1_000_000_000_000 + number);
                assert_eq!(batch.objects.len(), usize::from(number == SELDOM), "{point}");
            }
        }
    }
}
