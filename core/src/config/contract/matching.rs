//! `handlers.match`, and `applies_to` of policies and subscriptions.

use super::{
    Absent::Means,
    Key,
    Kind::{Tables, Texts, Words},
    POINTS, TableSpec, key,
};

const ABOUT_GLOB: &str = "A pattern or a list of them; * and ? are special.";

const ABOUT_TAGS: &str = "A pattern or a list of them; one tag that matches is enough.";
const ABOUT_ANY: &str = "Tables with the keys above: at least one has to match as well.";
const ABOUT_NOT: &str = "Tables with the keys above: a component that one matches is left out.";
const ABOUT_PART: &str = "Everything that is given in one table has to match.";

/// What a component is known by, in every table.
const REFERENCE_POINT: Key =
    key("reference_point", Words(POINTS), Means("all"), "A reference point or a list of them.");
const ID: Key = key("id", Texts, Means("all"), ABOUT_GLOB);
const VENDOR: Key = key("vendor", Texts, Means("all"), ABOUT_GLOB);
const MODEL: Key = key("model", Texts, Means("all"), ABOUT_GLOB);
const VERSION: Key = key("version", Texts, Means("all"), ABOUT_GLOB);
const SITE: Key = key("site", Texts, Means("all"), ABOUT_GLOB);
const TAGS: Key = key("tags", Texts, Means("all"), ABOUT_TAGS);

pub(super) static MATCH: TableSpec = TableSpec {
    name: "handlers.match",
    about: "Which components; everything that is given has to match.",
    keys: &[
        ID,
        VENDOR,
        MODEL,
        VERSION,
        SITE,
        TAGS,
        key("any", Tables(&MATCH_PART), Means("no more is asked"), ABOUT_ANY),
        key("not", Tables(&MATCH_PART), Means("nobody is left out"), ABOUT_NOT),
    ],
};

static MATCH_PART: TableSpec =
    TableSpec { name: "handlers.match.any", about: ABOUT_PART, keys: &[ID, VENDOR, MODEL, VERSION, SITE, TAGS] };

pub(super) static APPLIES_TO: TableSpec = TableSpec {
    name: "applies_to",
    about: "Which components; everything that is given has to match.",
    keys: &[
        REFERENCE_POINT,
        ID,
        VENDOR,
        MODEL,
        VERSION,
        SITE,
        TAGS,
        key("any", Tables(&APPLIES_TO_PART), Means("no more is asked"), ABOUT_ANY),
        key("not", Tables(&APPLIES_TO_PART), Means("nobody is left out"), ABOUT_NOT),
    ],
};

static APPLIES_TO_PART: TableSpec = TableSpec {
    name: "applies_to.any",
    about: ABOUT_PART,
    keys: &[REFERENCE_POINT, ID, VENDOR, MODEL, VERSION, SITE, TAGS],
};
