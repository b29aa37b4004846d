//! Doctors' profiles.

mod history;
mod text;

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use model::{
    clinical::{Doctor, DoctorDetails, Specialty},
    text::fold,
};
use sqlx::{AssertSqlSafe, types::Json};
use uuid::Uuid;

pub use self::history::DoctorVersion;
use self::{
    history::keep_version,
    text::{anywhere, clean_details, clean_list, clean_specialties, list_folded, specialties_folded},
};
use crate::{
    AuditActor, AuditRecord, Database, DatabaseError, NewUser,
    audit::insert_audit,
    engine::Tx,
    text::{clean, index_fold, index_text},
    user::insert_user,
};

/// A profile to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewDoctor {
    /// Full name as shown.
    pub name: String,
    /// Specialties.
    pub specialties: Vec<Specialty>,
    /// Languages, BCP 47 tags.
    pub languages: Vec<String>,
    /// IANA time zone name.
    pub time_zone: String,
    /// Licence number.
    pub licence_number: String,
    /// E-mail or phone.
    pub contact: String,
    /// What else is known.
    pub details: DoctorDetails,
}

/// What to change in a profile; `None` leaves the field as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DoctorChanges {
    /// Full name as shown.
    pub name: Option<String>,
    /// Specialties.
    pub specialties: Option<Vec<Specialty>>,
    /// Languages, BCP 47 tags.
    pub languages: Option<Vec<String>>,
    /// IANA time zone name.
    pub time_zone: Option<String>,
    /// Licence number.
    pub licence_number: Option<String>,
    /// E-mail or phone.
    pub contact: Option<String>,
    /// What else is known.
    pub details: Option<DoctorDetails>,
    /// Takes consultations.
    pub active: Option<bool>,
}

/// Which doctors to list; `None` does not restrict.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DoctorFilter {
    /// Has this specialty, in words without case and accents or as its code.
    pub specialty: Option<String>,
    /// Speaks this language.
    pub language: Option<String>,
    /// Part of the name, without case and accents.
    pub q: Option<String>,
    /// Takes consultations.
    pub active: Option<bool>,
    /// Doctors returned at most.
    pub limit: u32,
    /// Doctors skipped.
    pub offset: u64,
}

#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    id: Uuid,
    name: String,
    specialties: Json<Vec<Specialty>>,
    languages: Json<Vec<String>>,
    time_zone: String,
    licence_number: String,
    contact: String,
    details: Json<DoctorDetails>,
    active: bool,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Doctor {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            specialties: row.specialties.0,
            languages: row.languages.0,
            time_zone: row.time_zone,
            licence_number: row.licence_number,
            contact: row.contact,
            details: row.details.0,
            active: row.active,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// What a [`Row`] is made of.
pub(crate) const COLUMNS: &str = "SELECT doctor.id, doctor.name, doctor.specialties, doctor.languages, doctor.time_zone, \
    doctor.licence_number, doctor.contact, doctor.details, doctor.active, doctor.version, doctor.created_at, \
    doctor.updated_at";

/// Writes every column of `doctor`: `sql` is the INSERT or the UPDATE, with the same parameters.
async fn write_doctor(tx: &mut Tx, sql: &'static str, doctor: &Doctor) -> Result<u64, DatabaseError> {
    Ok(on_tx!(tx, connection => sqlx::query(sql)
        .bind(doctor.id)
        .bind(&doctor.name)
        .bind(index_fold(&doctor.name))
        .bind(Json(&doctor.specialties))
        .bind(specialties_folded(&doctor.specialties))
        .bind(Json(&doctor.languages))
        .bind(list_folded(&doctor.languages))
        .bind(&doctor.time_zone)
        .bind(&doctor.licence_number)
        .bind(&doctor.contact)
        .bind(doctor.active)
        .bind(doctor.version)
        .bind(doctor.updated_at)
        .bind(Json(&doctor.details))
        .execute(connection)
        .await?
        .rows_affected()))
}

impl Database {
    /// Makes a doctor and, when given, the account to log in with.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when the username is taken; then there is no doctor either.
    pub async fn create_doctor(
        &self,
        new: NewDoctor,
        user: Option<NewUser>,
        actor: &AuditActor,
    ) -> Result<Doctor, DatabaseError> {
        const SQL: &str = "INSERT INTO doctor (id, name, name_folded, specialties, specialties_folded, languages, \
            languages_folded, time_zone, licence_number, contact, active, version, created_at, updated_at, \
            details) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14)";
        let mut tx = self.begin().await?;
        let doctor = Doctor {
            id: Uuid::now_v7(),
            name: index_text(&new.name),
            specialties: clean_specialties(new.specialties),
            languages: clean_list(&new.languages),
            time_zone: clean(&new.time_zone),
            licence_number: clean(&new.licence_number),
            contact: clean(&new.contact),
            details: clean_details(new.details),
            active: true,
            version: 1,
            created_at: tx.now,
            updated_at: tx.now,
        };
        write_doctor(&mut tx, SQL, &doctor).await?;
        insert_audit(&mut tx, &[AuditRecord::success(actor, "create_doctor").about(doctor.id)]).await?;
        if let Some(user) = user {
            insert_user(&mut tx, NewUser { doctor_id: Some(doctor.id), ..user }, actor).await?;
        }
        self.commit(tx).await?;
        Ok(doctor)
    }

    /// One doctor.
    pub async fn doctor(&self, id: Uuid) -> Result<Option<Doctor>, DatabaseError> {
        let sql = AssertSqlSafe(format!("{COLUMNS} FROM doctor WHERE id = $1"));
        let row: Option<Row> =
            on!(self, engine => sqlx::query_as(sql).bind(id).fetch_optional(&engine.read).await?);
        Ok(row.map(Into::into))
    }

    /// Doctors by name.
    pub async fn doctors(&self, filter: &DoctorFilter) -> Result<Vec<Doctor>, DatabaseError> {
        let mut sql = format!("{COLUMNS} FROM doctor WHERE 1 = 1");
        let mut texts = Vec::new();
        for (column, value) in [
            ("specialties_folded", filter.specialty.as_deref().map(|text| format!("|{}|", fold(text)))),
            ("languages_folded", filter.language.as_deref().map(|text| format!("|{}|", fold(text)))),
            ("name_folded", filter.q.as_deref().map(fold)),
        ] {
            if let Some(value) = value {
                texts.push(anywhere(&clean(&value)));
                let _ = write!(sql, " AND {column} LIKE ${} ESCAPE '!'", texts.len());
            }
        }
        match filter.active {
            Some(true) => sql.push_str(" AND active"),
            Some(false) => sql.push_str(" AND NOT active"),
            None => {}
        }
        let (limit, offset) = (texts.len() + 1, texts.len() + 2);
        let _ = write!(sql, " ORDER BY name_folded, id LIMIT ${limit} OFFSET ${offset}");
        let found: Vec<Row> = on!(self, engine => {
            let mut query = sqlx::query_as(AssertSqlSafe(sql));
            for text in texts {
                query = query.bind(text);
            }
            let offset = i64::try_from(filter.offset).unwrap_or(i64::MAX);
            query.bind(i64::from(filter.limit)).bind(offset).fetch_all(&engine.read).await?
        });
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Changes a profile that is still at `expected_version`.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when somebody changed it meanwhile, [`DatabaseError::NotFound`].
    pub async fn update_doctor(
        &self,
        id: Uuid,
        expected_version: i64,
        changes: DoctorChanges,
        actor: &AuditActor,
    ) -> Result<Doctor, DatabaseError> {
        const SQL: &str = "UPDATE doctor SET name = $2, name_folded = $3, specialties = $4, \
            specialties_folded = $5, languages = $6, languages_folded = $7, time_zone = $8, licence_number = $9, \
            contact = $10, active = $11, version = $12, updated_at = $13, details = $14 WHERE id = $1 AND version = $12 - 1";
        let mut doctor = self.doctor(id).await?.ok_or(DatabaseError::NotFound)?;
        let changed = || DatabaseError::Conflict("the profile has changed".to_owned());
        if doctor.version != expected_version {
            return Err(changed());
        }
        let mut tx = self.begin().await?;
        let before = doctor.clone();
        let DoctorChanges {
            name,
            specialties,
            languages,
            time_zone,
            licence_number,
            contact,
            details,
            active,
        } = changes;
        doctor.name = name.map_or(doctor.name, |text| index_text(&text));
        doctor.specialties = specialties.map_or(doctor.specialties, clean_specialties);
        doctor.languages = languages.map_or(doctor.languages, |list| clean_list(&list));
        doctor.time_zone = time_zone.map_or(doctor.time_zone, |text| clean(&text));
        doctor.licence_number = licence_number.map_or(doctor.licence_number, |text| clean(&text));
        doctor.contact = contact.map_or(doctor.contact, |text| clean(&text));
        doctor.details = details.map_or(doctor.details, clean_details);
        doctor.active = active.unwrap_or(doctor.active);
        doctor.version += 1;
        doctor.updated_at = tx.now;
        if write_doctor(&mut tx, SQL, &doctor).await? == 0 {
            return Err(changed());
        }
        keep_version(&mut tx, &before, actor).await?;
        insert_audit(&mut tx, &[AuditRecord::success(actor, "update_doctor").about(id)]).await?;
        self.commit(tx).await?;
        Ok(doctor)
    }
}
