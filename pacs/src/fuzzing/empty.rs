//! A house with nothing in it to be found, for whoever tests something else.

/// Makes a type such a house.
macro_rules! empty_lookup {
    ($house:ty) => {
        const _: () = {
            use database::{
                InstanceKeys, PatientRow, SearchQuery, SearchResult, StoredInstance, WorklistQuery,
                WorklistStep,
            };
            use model::{SopInstanceUid, TransferSyntaxUid, access::Scope, performed_step::PerformedStep};
            use uuid::Uuid;

            use $crate::{
                access::Rights,
                backend::{Peer, Unavailable},
                commitment_scp::{CommitmentRequest, KeepCommitments},
                mpps_scp::KeepSteps,
                query_retrieve::{
                    lookup::{Looked, Lookup, NotOpened, Opened},
                    response::Refused as Refusal,
                },
                worklist_scp::Schedule,
            };

            impl Lookup for $house {
                async fn scope(&self, _: &Peer, _: &Rights) -> Result<Scope, Refusal> {
                    Ok(Scope::internal())
                }

                async fn search(&self, _: &Scope, _: &SearchQuery) -> Result<SearchResult, Refusal> {
                    Ok(SearchResult::default())
                }

                async fn search_patients(
                    &self,
                    _: &Scope,
                    _: &SearchQuery,
                    _: Option<Uuid>,
                ) -> Result<Vec<PatientRow>, Refusal> {
                    Ok(Vec::new())
                }

                async fn instances(
                    &self,
                    _: &Scope,
                    _: InstanceKeys<'_>,
                    _: u64,
                ) -> Result<Vec<StoredInstance>, Refusal> {
                    Ok(Vec::new())
                }

                async fn open(
                    &self,
                    _: &StoredInstance,
                    _: &[TransferSyntaxUid],
                ) -> Result<Opened, NotOpened> {
                    Err(NotOpened::Unreadable)
                }

                async fn record(&self, _: &Peer, _: &Rights, _: Looked) -> Result<(), Unavailable> {
                    Ok(())
                }
            }

            impl Schedule for $house {
                async fn steps(&self, _: &WorklistQuery) -> Result<Vec<WorklistStep>, Refusal> {
                    Ok(Vec::new())
                }
            }

            impl KeepSteps for $house {
                async fn step(&self, _: &SopInstanceUid) -> Result<Option<PerformedStep>, Unavailable> {
                    Ok(None)
                }

                async fn create_step(&self, _: &Peer, _: &PerformedStep) -> Result<bool, Unavailable> {
                    Ok(true)
                }

                async fn update_step(&self, _: &Peer, _: &PerformedStep) -> Result<bool, Unavailable> {
                    Ok(true)
                }
            }

            impl KeepCommitments for $house {
                async fn keep_commitment(
                    &self,
                    _: &Peer,
                    _: &CommitmentRequest,
                    _: u32,
                ) -> Result<(), Refusal> {
                    Ok(())
                }
            }
        };
    };
}

pub(crate) use empty_lookup;
