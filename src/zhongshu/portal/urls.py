"""Addresses of pages and of the REST interface."""

from django.urls import path

from .account import views as account
from .admin import views as admin
from .api import views as api
from .desk import case, search, thing, todo
from .records import views as records
from .screen import views as screen

urlpatterns = [
    path("", screen.home, name="home"),
    path("screen/", screen.screen, name="screen"),
    path("screen/<uuid:uid>/", screen.screen, name="screen-division"),
    path("screen/map/<uuid:uid>/divisions.geojson", screen.divisions, name="screen-divisions"),
    path("screen/map/<uuid:uid>/things.geojson", screen.things, name="screen-things"),
    path("login/", account.login, name="login"),
    path("login/code/", account.second_factor, name="second-factor"),
    path("logout/", account.logout, name="logout"),
    path("account/", account.account, name="account"),
    path("account/password/", account.password, name="account-password"),
    path("account/second-step/", account.totp, name="account-totp"),
    path("account/end-sessions/", account.end, name="account-end"),
    path("language/", account.set_language, name="set-language"),
    path("desk/", todo.desk, name="desk"),
    path("desk/search/", search.search, name="search"),
    path("desk/cases/<uuid:uid>/", case.case, name="case"),
    path("desk/cases/<uuid:uid>/place.geojson", case.case_geojson, name="case-geojson"),
    path("desk/cases/<uuid:uid>/<slug:name>/", case.act, name="case-act"),
    path("desk/streams/<uuid:uid>/series.json", thing.stream_series, name="stream-series"),
    path("admin/", admin.processes, name="admin"),
    path("admin/connections/", admin.connections, name="admin-connections"),
    path("admin/refused/", admin.refused, name="admin-refused"),
    path("admin/refused/<slug:partition>/<int:number>/replay/", admin.replay, name="admin-replay"),
    path("admin/jobs/", admin.jobs, name="admin-jobs"),
    path("admin/jobs/<int:pk>/retry/", admin.retry_job, name="admin-job-retry"),
    path("admin/deliveries/", admin.deliveries, name="admin-deliveries"),
    path("admin/deliveries/<int:pk>/<slug:what>/", admin.settle_delivery, name="admin-delivery"),
    path("admin/audit/", admin.audit, name="admin-audit"),
    path("desk/records/<slug:slug>/", records.list_records, name="records"),
    path("desk/records/<slug:slug>/new/", records.create_record, name="record-create"),
    path("desk/records/<slug:slug>/<uuid:uid>/", records.show_record, name="record"),
    path("desk/records/<slug:slug>/<uuid:uid>/change/", records.change_record, name="record-change"),
    path("desk/records/<slug:slug>/<uuid:uid>/remove/", records.remove, name="record-remove"),
    path("desk/records/<slug:slug>/<uuid:uid>/point.geojson", records.record_geojson, name="record-geojson"),
    path("api/openapi.json", api.openapi, name="openapi"),
    path("api/v1/<slug:slug>", api.collection, name="api-collection"),
    path("api/v1/<slug:slug>/<uuid:uid>", api.item, name="api-item"),
]
