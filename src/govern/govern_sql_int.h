/* The SQL of this folder, embedded at build. */
#pragma once

extern const char govern_sql_access_drop_record[];
extern const char govern_sql_access_found[];
extern const char govern_sql_access_key[];
extern const char govern_sql_access_lock[];
extern const char govern_sql_access_person[];
extern const char govern_sql_access_person_gone[];
extern const char govern_sql_access_procedures[];
extern const char govern_sql_access_record[];
extern const char govern_sql_access_record_view[];
extern const char govern_sql_access_records[];
extern const char govern_sql_access_unlock[];
extern const char govern_sql_audit_checkpoint[];
extern const char govern_sql_audit_checkpoint_add[];
extern const char govern_sql_audit_details_add[];
extern const char govern_sql_audit_details_erase[];
extern const char govern_sql_audit_erasures[];
extern const char govern_sql_audit_event_add[];
extern const char govern_sql_audit_events[];
extern const char govern_sql_audit_head[];
extern const char govern_sql_audit_head_move[];
extern const char govern_sql_audit_list[];
extern const char govern_sql_audit_list_subject[];
extern const char govern_sql_audit_purge_details[];
extern const char govern_sql_audit_purge_end[];
extern const char govern_sql_audit_purge_events[];
extern const char govern_sql_audit_subject_events[];
extern const char govern_sql_dictionary_add[];
extern const char govern_sql_dictionary_clear[];
extern const char govern_sql_token_add[];
extern const char govern_sql_token_find[];
extern const char govern_sql_token_list[];
extern const char govern_sql_token_revoke[];
extern const char govern_sql_token_role[];
extern const char govern_sql_token_used[];
