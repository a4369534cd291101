/* Embedded SQL of this folder: src/search/sql, a file a statement. */
#pragma once

extern const char search_sql_recommend_baseline[];
extern const char search_sql_recommend_basket[];
extern const char search_sql_recommend_bought[];
extern const char search_sql_recommend_customer[];
extern const char search_sql_recommend_held_back[];
extern const char search_sql_recommend_popular[];
extern const char search_sql_recommend_product[];
extern const char search_sql_recommend_session[];
extern const char search_sql_recommend_together[];
