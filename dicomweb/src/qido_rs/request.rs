//! PS3.18 8.3.4 and 10.6.1, the query parameters of a Search Transaction.

use std::collections::BTreeSet;

use database::{Attribute, Condition, Level, MATCHING_UIDS_MAX, Matching, MatchingRules, Order, SortKey};
use service::http::problem::Problem;

use super::name::{Name, parse_path, resolve};

/// Most attributes to sort by.
const SORT_KEYS_MAX: usize = 8;
/// Length of the keys that are named in a warning, in bytes; of more it is only said that there are some.
const NOT_MATCHED_LENGTH_MAX_BYTES: usize = 300;

/// What a search asks for, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRequest {
    /// What must match.
    pub conditions: Vec<Condition>,
    /// Rows of one page.
    pub limit: u32,
    /// Rows to pass over.
    pub offset: u64,
    /// Match person names loosely.
    pub fuzzy: bool,
    /// Attributes wanted beyond the usual ones.
    pub include: IncludeFields,
    /// In which order; not yet checked against the level of the search.
    pub order: Vec<SortKey>,
    /// Names of attributes that were given a value and are not matched on.
    pub not_matched: Vec<String>,
}

/// `includefield`, and the keys that were matched on (PS3.18 10.6.3.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IncludeFields {
    /// Everything there is.
    pub all: bool,
    /// Single attributes of the top level; unknown ones are no error and not here.
    pub tags: BTreeSet<u32>,
}

impl IncludeFields {
    /// Whether an attribute is wanted.
    pub fn contains(&self, tag: u32) -> bool {
        self.all || self.tags.contains(&tag)
    }

    /// Whether anything is wanted that only an instance's header has.
    pub fn wants_header(&self) -> bool {
        self.all || self.tags.iter().any(|tag| Attribute::from_tag(*tag).is_none())
    }

    fn add(&mut self, list: &str) {
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if name.eq_ignore_ascii_case("all") {
                self.all = true;
            } else if let Some(path) = parse_path(name) {
                // A path into a sequence brings the whole sequence.
                self.tags.insert(path[0]);
            }
        }
    }
}

/// Reads the query of a search; `page_max` is both the default and the largest limit.
///
/// Attributes of deeper levels may be matched too, as viewers do with Modality on studies: then one series or
/// instance has to fit.
pub fn parse(pairs: &[(String, String)], page_max: u32) -> Result<SearchRequest, Problem> {
    let mut request = SearchRequest {
        conditions: Vec::new(),
        limit: page_max,
        offset: 0,
        fuzzy: false,
        include: IncludeFields::default(),
        order: Vec::new(),
        not_matched: Vec::new(),
    };
    let mut rules = MatchingRules::default();
    let mut keys = Vec::new();
    for (name, value) in pairs {
        match name.to_ascii_lowercase().as_str() {
            "limit" => {
                let limit: u64 = number(name, value)?;
                request.limit = u32::try_from(limit).unwrap_or(u32::MAX).min(page_max);
            }
            "offset" => request.offset = number(name, value)?,
            "fuzzymatching" => request.fuzzy = boolean(name, value)?,
            "emptyvaluematching" => rules.empty_value = boolean(name, value)?,
            "multiplevaluematching" => rules.multiple_value = boolean(name, value)?,
            "includefield" => request.include.add(value),
            "orderby" => add_sort_keys(&mut request.order, name, value)?,
            _ => keys.push((name.as_str(), value.as_str())),
        }
    }
    for (name, value) in keys {
        add_key(&mut request, rules, name, value)?;
    }
    Ok(request)
}

/// The order of the rows at a level; 400 for an attribute that no row there has one value of.
pub fn order(keys: Vec<SortKey>, level: Level) -> Result<Order, Problem> {
    if let Some(key) = keys.iter().find(|key| !key.attribute.sorts(level)) {
        let keyword = key.attribute.keyword();
        return Err(refused("orderby", format!("{keyword} is no attribute to sort these rows by")));
    }
    Ok(match keys[..] {
        [] | [SortKey { attribute: Attribute::StudyDate, descending: true }] => Order::Standard,
        [SortKey { attribute: Attribute::StudyDate, descending: false }] => Order::OldestFirst,
        _ => Order::By(keys),
    })
}

fn number(name: &str, value: &str) -> Result<u64, Problem> {
    let number: Option<u64> = value.trim().parse().ok().filter(|number| i64::try_from(*number).is_ok());
    number.ok_or_else(|| refused(name, "a whole number of 0 or more"))
}

fn boolean(name: &str, value: &str) -> Result<bool, Problem> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" | "" => Ok(false),
        _ => Err(refused(name, "true or false")),
    }
}

fn refused(name: &str, message: impl Into<String>) -> Problem {
    Problem::bad_request("a query parameter cannot be understood; see errors").field(name, message)
}

/// Attributes separated by commas, each with `-` before it for descending. Not in PS3.18; other archives have it too.
fn add_sort_keys(keys: &mut Vec<SortKey>, name: &str, list: &str) -> Result<(), Problem> {
    for piece in list.split(',').map(str::trim).filter(|piece| !piece.is_empty()) {
        let (descending, piece) = match piece.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, piece.strip_prefix('+').unwrap_or(piece)),
        };
        let Name::Matched(attribute) = resolve(piece) else {
            return Err(refused(
                name,
                "attributes that this archive matches on, with - before those to be descending",
            ));
        };
        if keys.len() == SORT_KEYS_MAX {
            return Err(refused(name, format!("at most {SORT_KEYS_MAX} attributes")));
        }
        keys.push(SortKey { attribute, descending });
    }
    Ok(())
}

fn add_key(
    request: &mut SearchRequest,
    rules: MatchingRules,
    name: &str,
    value: &str,
) -> Result<(), Problem> {
    let attribute = match resolve(name) {
        Name::Matched(attribute) => attribute,
        Name::Parameter => return Ok(()),
        Name::Unknown => return Err(refused(name, "no attribute of DICOM has this name")),
        Name::NotMatched(tag) => {
            request.include.tags.insert(tag);
            // Said in the answer: otherwise it would look as if all of it fitted.
            if !Matching::is_universal(value) && !request.not_matched.iter().any(|known| known == name) {
                request.not_matched.push(name.to_owned());
            }
            return Ok(());
        }
    };
    request.include.tags.insert(attribute.tag());
    let matching = Matching::parse(attribute.vr(), value, rules).map_err(|message| refused(name, message))?;
    let Some(matching) = matching else { return Ok(()) };
    let Some(known) = request.conditions.iter_mut().find(|known| known.attribute == attribute) else {
        request.conditions.push(Condition { attribute, matching });
        return Ok(());
    };
    match (&mut known.matching, matching) {
        // Some clients repeat the parameter for each UID.
        (Matching::UidList(known), Matching::UidList(more))
            if attribute.vr() == "UI" && known.len() + more.len() <= MATCHING_UIDS_MAX =>
        {
            known.extend(more);
            Ok(())
        }
        _ => Err(refused(name, "each attribute may be given once")),
    }
}

/// The text of the warning about [`SearchRequest::not_matched`]; `None` when there is nothing to say.
pub fn warning(not_matched: &[String]) -> Option<String> {
    if not_matched.is_empty() {
        return None;
    }
    let mut length = 0;
    let fits = |name: &&String| {
        length += name.len();
        length <= NOT_MATCHED_LENGTH_MAX_BYTES
    };
    let named: Vec<&str> = not_matched.iter().take_while(fits).map(String::as_str).collect();
    let more = if not_matched.len() > named.len() { " and others" } else { "" };
    Some(format!("These attributes are not matched on and were passed over: {}{more}", named.join(", ")))
}

/// The condition that a UID in the path makes.
pub fn uid_condition(attribute: Attribute, uid: &str) -> Condition {
    Condition { attribute, matching: Matching::UidList(vec![uid.to_owned()]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query_string;

    fn parse_query(query: &str) -> Result<SearchRequest, Problem> {
        parse(&query_string::parse(Some(query)).expect("query"), 1000)
    }

    #[test]
    fn the_list_call_of_ohif() {
        let request = parse_query(
            "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030\
             &PatientName=*x*&00100020=*x*&StudyDate=19700102-20240131&Modality=CR&00080060=",
        )
        .expect("valid");
        assert_eq!((request.limit, request.offset, request.fuzzy), (101, 0, false));
        assert!(request.include.contains(0x0008_0060) && !request.include.contains(0x0008_0061));
        assert!(!request.include.wants_header() && request.not_matched.is_empty());
        let attributes: Vec<Attribute> = request.conditions.iter().map(|c| c.attribute).collect();
        assert_eq!(
            attributes,
            [Attribute::PatientName, Attribute::PatientID, Attribute::StudyDate, Attribute::Modality]
        );
    }

    #[test]
    fn study_uids_joined_with_two_backslashes() {
        let request = parse_query("StudyInstanceUID=1.2%5C%5C3.4").expect("valid");
        assert_eq!(request.conditions[0].matching, Matching::UidList(vec!["1.2".into(), "3.4".into()]));
        let request = parse_query("StudyInstanceUID=1.2&0020000D=3.4&StudyInstanceUID=").expect("valid");
        assert_eq!(request.conditions[0].matching, Matching::UidList(vec!["1.2".into(), "3.4".into()]));
    }

    #[test]
    fn paging_has_limits() {
        for (query, limit) in [("", 1000), ("limit=1000000000", 1000), ("limit=0", 0), ("limit=5", 5)] {
            assert_eq!(parse_query(query).expect("valid").limit, limit, "{query}");
        }
        for query in ["limit=-1", "limit=x", "offset=1.5", "offset=18446744073709551615", "fuzzymatching=2"] {
            assert_eq!(parse_query(query).expect_err(query).status, 400, "{query}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_strange_parameters_are_not() {
        for query in [
            "PatientID=1&00100020=1",
            "NoSuchKeyword=1",
            "StudyDate=yesterday",
            "StudyInstanceUID=1.2*",
            "PatientID.x=1",
            "orderby=NoSuchKeyword",
            "orderby=PatientAge",
            "orderby=--StudyDate",
        ] {
            assert_eq!(parse_query(query).expect_err(query).status, 400, "{query}");
        }
        for query in ["_=123", "accept=application/json", "includefield=nonsense,99999999", "PatientID=*"] {
            assert_eq!(parse_query(query).expect(query).conditions, [], "{query}");
        }
        let keys = ["StudyDate"; SORT_KEYS_MAX + 1].join(",");
        assert_eq!(parse_query(&format!("orderby={keys}")).expect_err("too many").status, 400);
    }

    #[test]
    fn what_is_not_matched_is_told() {
        let request = parse_query("PatientAge=030Y&00101010=031Y&00091001=x&PatientSize=&OtherPatientIDs=*");
        let request = request.expect("valid");
        assert_eq!(request.not_matched, ["PatientAge", "00101010", "00091001"]);
        assert_eq!(request.conditions, []);
        assert!(request.include.contains(0x0010_1010) && request.include.wants_header());
        assert_eq!(
            warning(&request.not_matched).as_deref(),
            Some("These attributes are not matched on and were passed over: PatientAge, 00101010, 00091001")
        );
        assert_eq!(warning(&[]), None);
        let many: Vec<String> = (0..100).map(|n| format!("0009{n:04}")).collect();
        assert!(warning(&many).is_some_and(|text| text.len() < 500 && text.ends_with(" and others")));
        assert!(warning(&["x".repeat(1_000)]).is_some_and(|text| text.len() < 500));
    }

    #[test]
    fn orders() {
        let at = |query: &str, level| order(parse_query(query).expect(query).order, level);
        let key = |attribute, descending| SortKey { attribute, descending };
        assert_eq!(at("", Level::Study).expect("valid"), Order::Standard);
        assert_eq!(at("orderby=-StudyDate", Level::Series).expect("valid"), Order::Standard);
        assert_eq!(at("orderby=00080020", Level::Study).expect("valid"), Order::OldestFirst);
        assert_eq!(
            at("orderby=PatientName,-StudyDate&orderby=StudyTime", Level::Study).expect("valid"),
            Order::By(vec![
                key(Attribute::PatientName, false),
                key(Attribute::StudyDate, true),
                key(Attribute::StudyTime, false)
            ])
        );
        assert!(at("orderby=InstanceNumber", Level::Instance).is_ok());
        for (query, level) in [
            ("orderby=InstanceNumber", Level::Series),
            ("orderby=Modality", Level::Study),
            ("orderby=ModalitiesInStudy", Level::Study),
        ] {
            assert_eq!(at(query, level).expect_err(query).status, 400, "{query}");
        }
    }

    #[test]
    fn included_paths_bring_their_sequence() {
        let request = parse_query(
            "includefield=00400275.00400009&includefield=PatientAge,RequestAttributesSequence.RequestedProcedureID",
        );
        let tags = request.expect("valid").include.tags;
        assert_eq!(tags, [0x0010_1010, 0x0040_0275].into());
    }

    // threats.md row 37.
    #[test]
    fn ten_thousand_fields_are_a_set() {
        let list = vec!["00100010"; 10_000].join(",");
        let request = parse_query(&format!("includefield={list}")).expect("valid");
        assert_eq!(request.include.tags.len(), 1);
    }
}
