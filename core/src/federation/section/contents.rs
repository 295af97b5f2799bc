//! What may be in each section, member by member: the allow-list that the filter ([`super::form`]) goes by.

use super::{
    crossing,
    form::{Form, MOST_RATE_BPS, MOST_SECONDS, STATES, Vocabulary, member, required},
    incidents, maintenance, rollup,
};

/// Sections that there are, with what may be in them.
pub(super) const SECTIONS: [(&str, Form); 12] = [
    ("health", Form::Members(&[member("components", Form::By(Vocabulary::Points, &COUNTS))])),
    (
        "alarms",
        Form::Members(&[
            member("raised", Form::By(Vocabulary::Severities, &Form::Count)),
            member("types", Form::By(Vocabulary::AlarmTypes, &Form::Count)),
        ]),
    ),
    ("links", Form::Members(&[member("ends", Form::List(&LINK))])),
    ("linkRanges", LINK_RANGES),
    (
        "capabilities",
        Form::Members(&[
            member("program", Form::Name),
            member("version", Form::Version),
            member("referencePoints", Form::List(&Form::Of(Vocabulary::Points))),
            member("sections", Form::List(&Form::Of(Vocabulary::Sections))),
        ]),
    ),
    (rollup::SECTION, Form::Members(&[member("areas", Form::List(&AREA))])),
    (maintenance::NAME, maintenance::FORM),
    (incidents::NAME, incidents::FORM),
    ("interDomainLinks", crossing::INTER_DOMAIN_LINKS),
    ("keyRelations", crossing::KEY_RELATIONS),
    ("services", crossing::SERVICES),
    ("settlement", crossing::SETTLEMENT),
];

const COUNTS: Form = Form::Members(&[
    member("known", Form::Count),
    member("connected", Form::Count),
    member("silent", Form::Count),
    member("impaired", Form::Count),
]);
const LINK: Form = Form::Members(&[
    required("id", Form::Name),
    required("peer", Form::Name),
    required("state", Form::OneOf(&STATES)),
    member("qberRatio", Form::Ratio),
    member("secretKeyRateBps", Form::UpTo(MOST_RATE_BPS)),
    member("keyStoreFillRatio", Form::Ratio),
    member("timeToExhaustionS", Form::UpTo(MOST_SECONDS)),
]);

const LINK_RANGES: Form = Form::Members(&[
    member("states", Form::By(Vocabulary::LinkStates, &Form::Count)),
    member("qberRatio", RATIOS),
    member("secretKeyRateBps", RATES),
    member("keyStoreFillRatio", RATIOS),
]);
const RATIOS: Form =
    Form::Members(&[required("min", Form::Ratio), required("max", Form::Ratio), required("count", Form::Count)]);
const RATES: Form = Form::Members(&[
    required("min", Form::UpTo(MOST_RATE_BPS)),
    required("max", Form::UpTo(MOST_RATE_BPS)),
    required("count", Form::Count),
]);
const AREA: Form = Form::Members(&[
    required("area", Form::Name),
    member("components", Form::By(Vocabulary::Points, &COUNTS)),
    member("raised", Form::By(Vocabulary::Severities, &Form::Count)),
    member("links", LINK_RANGES),
    member("domains", Form::By(Vocabulary::SourceStates, &Form::Count)),
    required("worstAgeS", Form::Count),
    member("sources", Form::List(&SOURCE)),
]);
const SOURCE: Form = Form::Members(&[
    required("origin", Form::Name),
    required("state", Form::Of(Vocabulary::SourceStates)),
    member("ageS", Form::Count),
    member("audience", Form::OneOf(&["federation", "area", "aggregator"])),
    member("version", Form::DocumentVersion),
    member("manifestHash", Form::HalfHash),
    member("contentHash", Form::HalfHash),
]);
