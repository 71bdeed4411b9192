# SPDX-License-Identifier: Apache-2.0
"""The API described: an OpenAPI document made of the table of routes, and a page for people made of that document."""
