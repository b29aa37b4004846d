//! PS3.18 8.3.4 and 10.6.1, the query parameters of a Search Transaction.

use std::collections::BTreeSet;

use database::{Attribute, Condition, Matching};
use service::http::problem::Problem;

use super::matching;

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
}

/// `includefield`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IncludeFields {
    /// Everything there is.
    pub all: bool,
    /// Single attributes; unknown ones are no error and not here.
    pub tags: BTreeSet<u32>,
}

impl IncludeFields {
    /// Whether an attribute is wanted.
    pub fn contains(&self, tag: u32) -> bool {
        self.all || self.tags.contains(&tag)
    }

    fn add(&mut self, list: &str) {
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if name.eq_ignore_ascii_case("all") {
                self.all = true;
            } else if let Some(tag) = parse_tag(name) {
                self.tags.insert(tag);
            } else if let Some(attribute) = Attribute::from_keyword(name) {
                self.tags.insert(attribute.tag());
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
    };
    let mut seen = BTreeSet::new();
    for (name, value) in pairs {
        match name.to_ascii_lowercase().as_str() {
            "limit" => {
                let limit: u64 = number(name, value)?;
                request.limit = u32::try_from(limit).unwrap_or(u32::MAX).min(page_max);
            }
            "offset" => request.offset = number(name, value)?,
            "fuzzymatching" => request.fuzzy = boolean(name, value)?,
            "includefield" => request.include.add(value),
            _ => add_condition(&mut request.conditions, &mut seen, name, value)?,
        }
    }
    Ok(request)
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

fn add_condition(
    conditions: &mut Vec<Condition>,
    seen: &mut BTreeSet<u32>,
    name: &str,
    value: &str,
) -> Result<(), Problem> {
    let Some(attribute) = find_attribute(name) else {
        if !looks_like_attribute(name) {
            // PS3.18 8.3.1: parameters that mean nothing to the server are passed over.
            return Ok(());
        }
        // A filter that is dropped in silence shows patients who were not asked for.
        return Err(refused(name, "this archive does not match on this attribute here"));
    };
    let matching = matching::parse(attribute.vr(), value).map_err(|message| refused(name, message))?;
    let Some(matching) = matching else { return Ok(()) };
    if !seen.insert(attribute.tag()) {
        return Err(refused(name, "each attribute may be given once"));
    }
    conditions.push(Condition { attribute, matching });
    Ok(())
}

/// The attribute of a tag, keyword or path of either. Only Request Attributes Sequence has anything to match on.
fn find_attribute(name: &str) -> Option<Attribute> {
    let name = match name.split_once('.') {
        Some(("00400275" | "RequestAttributesSequence", inner)) => inner,
        Some(_) => return None,
        None => name,
    };
    match parse_tag(name) {
        Some(tag) => Attribute::from_tag(tag),
        None => Attribute::from_keyword(name),
    }
}

/// Eight hexadecimal digits, the last attribute of a path of them.
fn parse_tag(name: &str) -> Option<u32> {
    let name = name.rsplit('.').next()?;
    let digits = name.len() == 8 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits { u32::from_str_radix(name, 16).ok() } else { None }
}

/// A tag, or a keyword: they begin with a capital letter, unlike other parameters.
fn looks_like_attribute(name: &str) -> bool {
    parse_tag(name).is_some() || name.starts_with(|first: char| first.is_ascii_uppercase())
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
    fn what_cannot_be_matched_is_refused_and_strange_parameters_are_not() {
        for query in [
            "PatientID=1&00100020=1",
            "NoSuchKeyword=1",
            "00101010=1",
            "StudyDate=yesterday",
            "StudyInstanceUID=1.2*",
            "00100020.00100020=1",
        ] {
            assert_eq!(parse_query(query).expect_err(query).status, 400, "{query}");
        }
        for query in ["_=123", "accept=application/json", "includefield=nonsense,99999999", "PatientID=*"] {
            assert_eq!(parse_query(query).expect(query).conditions, [], "{query}");
        }
    }

    #[test]
    fn paths_into_request_attributes() {
        for query in ["00400275.00400009=S1", "RequestAttributesSequence.ScheduledProcedureStepID=S1"] {
            let request = parse_query(query).expect(query);
            assert_eq!(request.conditions[0].attribute, Attribute::ScheduledProcedureStepID, "{query}");
        }
    }
}
