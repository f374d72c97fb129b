"""The index of the Imaging Data Commons (IDC), offline: what there is, its licences, citations and links."""
