"""The options of ffmpeg 5.1.9, made by scripts/make-ffmpeg-tables: do not edit."""

from typing import Final

VALUES: Final = """
    ab abort_on absf ac acodec adrift_threshold af aframes apad apre aq ar aspect async atag attach autorotate
    autoscale b bits_per_raw_sample bsf c canvas_size ch_layout channel_layout chroma_intra_matrix codec copypriorss
    copytb cpucount cpuflags dcodec dframes discard disposition dts_delta_threshold dts_error_threshold
    dump_attachment enc_time_base f filter filter_complex filter_complex_script filter_complex_threads
    filter_hw_device filter_script filter_threads force_key_frames fpre fps_mode fpsmax frame_drop_threshold frames
    fs guess_layout_max hwaccel hwaccel_device hwaccel_output_format init_hw_device inter_matrix intra_matrix isync
    itsoffset itsscale lavfi loglevel map map_channel map_chapters map_metadata max_alloc max_error_rate
    max_muxing_queue_size metadata muxdelay muxing_queue_data_threshold muxpreload pass passlogfile pix_fmt pre
    profile program progress q qscale qsv_device r rc_override readrate reinit_filter s sample_fmt scodec sdp_file
    seek_timestamp spre ss sseof stag stats_period stream_loop streamid t tag target thread_queue_size time_base
    timecode timelimit timestamp to top v vaapi_device vbsf vcodec vf vframes vol vpre vstats_file vstats_version
    vsync vtag
"""

FLAGS: Final = """
    accurate_seek an auto_conversion_filters benchmark benchmark_all bitexact copy_unknown copyinkf copyts debug_ts
    dn dump find_stream_info fix_sub_duration force_fps hex hide_banner ignore_unknown n psnr qphist re recast_media
    report shortest sn start_at_zero stats stdin vn vstats xerror y
"""

QUESTIONS: Final = """
    -help ? L bsfs buildconf codecs colors decoders demuxers devices dispositions encoders filters formats h help
    hwaccels layouts muxers pix_fmts protocols sample_fmts sinks sources version
"""

WHOLE: Final = """
    abort_on adrift_threshold async auto_conversion_filters benchmark benchmark_all copy_unknown copytb copyts
    cpucount cpuflags debug_ts dts_delta_threshold dts_error_threshold dump filter_complex filter_complex_script
    filter_complex_threads filter_hw_device filter_threads frame_drop_threshold hex hide_banner ignore_unknown
    init_hw_device lavfi loglevel max_alloc max_error_rate n progress psnr qphist qsv_device recast_media report
    sdp_file start_at_zero stats stats_period stdin timelimit v vaapi_device vol vstats vstats_file vstats_version
    vsync xerror y
"""

SETTINGS: Final = """
    2pass 8x8dct a53cc aa_fixed_key aac_coder aac_is aac_ltp aac_ms aac_pce aac_pns aac_pred aac_tns ab abr ac
    activation_bytes ad_conv_type adaptation_sets adaptive_b adaptive_i advanced_editlist aiv algorithm alllayers
    allow_raw_vfw allowed_extensions allowed_media_types allowed_segment_extensions alpha_bits alphablend
    alternate_scan amount analyzeduration angle antialias aom-params application apply_cropping apply_defdispwin
    apply_phase_inv apply_trc aq-mode aq-strength ar arnr-max-frames arnr-maxframes arnr-strength arnr-type
    arnr_max_frames arnr_strength arnr_type aspect assetmaps async async_depth atomic_writing attempt_recovery aud
    audible_fixed_key audible_iv audible_key audio_chunk_duration audio_preload audio_service_type auth_type
    auto-alt-ref auto_convert avbr_accuracy avbr_convergence avcintra-class avioflags avoid_negative_ts b b-bias
    b-pyramid b_adapt b_depth b_qfactor b_qoffset b_ref_mode b_sensitivity b_strategy background bandwidth bf
    bidir_refine bit_rate bitrate bitrate_limit bits_per_codeword bits_per_mb blank_value block block_size blocksize
    bluray-compat border_mask boundary_tag brand brd_scale break_non_keyframes broadcast bt buffer_duration
    buffer_size bufsize bug burst_bits ca_file cafile cavlc cbr cbr_quality cc_stream_map cenc_decryption_key
    center_mix_level center_mixlev cert_file ch_layout ch_mode change_field_order channel channel_coupling
    channel_layout channel_order channels chapter chars_per_frame charset cheby chroma_elim_threshold
    chroma_sample_loc_type chroma_sample_location chroma_sample_position chromaoffset chunk_duration
    chunk_duration_ms chunk_size chunk_start_index chunked_post chunks cinema_mode clev cluster_size_limit
    cluster_time_limit cmp cname code_size codec_whitelist coder color color_primaries color_range color_space
    color_trc colorspace colour_primaries comp_duration compression compression_algo compression_level compressor
    compute_clut compute_edt compute_pcr connect connect_timeout connection_timeout cons_noisegen
    constrained-encoding content_type context continue_one_color_thresh cookies copyright core_only
    corpus-complexity correct_ts_overflow cpl_start_band cplxblur cpu-used cq cr_size cr_threshold crf crf_max crop
    crop_bottom crop_left crop_right crop_top crtc_id cryptokey cues_to_front custom_stride cutoff d
    d10_channelcount dark_mask dash dash_segment_type dash_track_number data_field data_partitioning dblk_idc dc
    dca_adpcm dct deadline deblock debug decryption_iv decryption_key default_delay default_fps default_mode deint
    delay delete_filler delete_padding delivery_mode denoise-block-size denoise-noise-level device dheadphone_mode
    dia_size dialnorm direct-pred discard_damaged_percentage display_aspect_ratio display_name display_orientation
    distance disto_alloc dither_method dither_scale dither_type dmix_mode downmix dpb_size dpi dpm draw_mouse
    drc_scale driver drop drop-threshold drop_frame_timecode drop_pkts_on_overflow drop_second_field dropamount dscp
    dst_format dst_h_chr_pos dst_range dst_v_chr_pos dsth dstw dsur_mode dsurex_mode dts dtshd_fallback_time
    dtshd_rate dtx dual_mono_mode dump_separator dumpgraph duration dvb_substream dvbuffer dvguid dvtype ec effort
    eia608_extract empty_hdlr_name enable-1to4-partitions enable-ab-partitions enable-angle-delta enable-cdef
    enable-cfl-intra enable-diff-wtd-comp enable-dist-wtd-comp enable-dual-filter enable-filter-intra
    enable-flip-idtx enable-global-motion enable-interinter-wedge enable-interintra-comp enable-interintra-wedge
    enable-intra-edge-filter enable-intrabc enable-masked-comp enable-obmc enable-onesided-comp enable-paeth-intra
    enable-palette enable-rect-partitions enable-reduced-reference-set enable-ref-frame-mvs enable-restoration
    enable-smooth-interintra enable-smooth-intra enable-tpl enable-tx64 enable_drefs enable_er encryption
    encryption_iv encryption_key encryption_kid encryption_scheme end end_offset energy_levels enforced_encryption
    eph err_detect error-resilience error-resilient error_protection error_rate even_rows_fix exact_rational
    exact_rice_parameters exchange export_all export_path_metadata export_side_data export_xmp extbrc
    extension_picky extern_huff extra_bits_bug extra_hw_frames extra_sei extra_window_size f_err_detect f_strict
    fast-pskip fastfirstpass fdebug fec fflags ffrtmphttp_tls ffs field_order fifo_format fifo_options fifo_size
    filmgrain filter_size filter_type final_delay first_pts fix_teletext_pts fixed_frame_rate_flag fixed_quality
    flags flags2 flip flipped_raw_rgb flush_packets flv_full_metadata flv_ignore_prevtag flv_metadata flvflags
    follow follow_mouse force_duplicated_matrix forced-idr forced_idr forced_subs_only format format_modifier
    format_options format_opts format_version format_whitelist formatprobesize fp_format fpsprobesize frag_duration
    frag_interleave frag_size frag_type fragment_index fragment_size frame-parallel frame_duration frame_pts
    frame_rate frame_size framerate frames_per_packet framethreads freq ftp-anonymous-password ftp-password ftp-user
    ftp-write-seekable g gain gamma gateway gifflags gifimage global_palette global_quality global_sidx gmc
    gop_timecode gpb gpu gpu_copy grab_x grab_y graph graph_file hash header headers heavy_compr height hielevel
    hls_allow_cache hls_base_url hls_delete_threshold hls_enc hls_enc_iv hls_enc_key hls_enc_key_url hls_flags
    hls_fmp4_init_filename hls_fmp4_init_resend hls_init_time hls_key_info_file hls_list_size hls_master_name
    hls_playlist hls_playlist_type hls_segment_filename hls_segment_options hls_segment_size hls_segment_type
    hls_start_number_source hls_subtitle_path hls_time hls_ts_options hls_vtt_options http_multiple http_opts
    http_persistent http_proxy http_seekable http_user_agent huffman hwaccel_flags i_qfactor i_qoffset ibias iblock
    ice_description ice_genre ice_name ice_public ice_url ich ichl icl icy id3v2_version idct idr_interval
    ifo_palette ignore_chapters ignore_editlist ignore_io_errors ignore_length ignore_loop ignore_readorder ildctcmp
    in_channel_count in_channel_layout in_chlayout in_sample_fmt in_sample_rate increment_tc index_correction
    indexmem individual_header_trailer init_qpB init_qpI init_qpP init_seg_name initial_offset initial_pause
    input_format inputbw int_ref_cycle_dist int_ref_cycle_size int_ref_qp_delta int_ref_type internal_sample_fmt
    intra-refresh intra_penalty intra_vlc iods_audio_profile iods_video_profile iptos ipttl irreversible is_avc isf
    ism_lookahead isr iterative_dia_size iv jfif joint_stereo kaiser_beta keep_ar keep_ass_markup key key_file
    keyint_min kind kmpreannounce kmrefreshrate l la_depth lag-in-frames last_pred latency layer layer_rates layout
    ldash ldkfs legacy_icecast level lfe_mix_level lhls linear_interp linespeed linger list_devices list_dither
    list_drivers list_formats list_standards listen listen_timeout live live_start_index lmax lmin load_plugin
    load_plugins local_port local_rtcpport local_rtpport localaddr localport location log_level look_ahead
    look_ahead_depth look_ahead_downsampling lookahead_count loop loop_filter_level loop_filter_sharpness loopend
    loopstart loro_cmixlev loro_surmixlev lossless lossmaxttl low_delay_brc low_power lowqual lowres
    lpc_coeff_precision lpc_passes lpc_type ltrt_cmixlev ltrt_surmixlev luma_elim_threshold lumi_aq lumi_mask
    m3u8_hold_counters mapping_family master_m3u8_publish_rate master_pl_name master_pl_publish_rate
    matrix_coefficients matrix_encoding max-intra-rate max_dec_frame_buffering max_delay max_extra_cb_iterations
    max_file_size max_fps max_frame_size max_frame_size_i max_frame_size_p max_gif_delay max_interleave_delta
    max_packet_size max_partition_order max_pixels max_playback_rate max_port max_prediction_order max_probe_packets
    max_qp_b max_qp_i max_qp_p max_recovery_attempts max_redirects max_reload max_samples max_size max_slice_size
    max_soft_comp max_streams max_strips max_stts_delta max_ts_probe maxbw maxrate maxsection-pct mb_info mbbrc
    mbcmp mbd mblmax mblmin mbs_per_slice mbtree me_method me_quality me_range media_seg_name memc_only mepc mepre
    merge_pmt_versions messageapi metadata_header_padding method mfmode min_comp min_delay min_frag_duration
    min_hard_comp min_partition_order min_playback_rate min_port min_prediction_order min_qp_b min_qp_i min_qp_p
    min_strips minimum_update_period minrate minreq minsection-pct minversion missing_streams mixed-refs
    mixing_level mode modular moov_size motion-est motion_est mov_gamma movflags movie_timescale mpd_profile
    mpeg_quant mpegts_copyts mpegts_flags mpegts_m2ts_mode mpegts_muxer_options mpegts_original_network_id
    mpegts_pmt_start_pid mpegts_service_id mpegts_service_type mpegts_start_pid mpegts_transport_stream_id mpv_flags
    msbc mss multi_dim_quant multipass multiple_requests muxrate mv0_threshold mxf_audio_edit_rate n nakreport
    nal-hrd nal_length_size name nb_out_samples nit_period nitris_compat no-scenecut no_bitstream no_resync_search
    no_window noise-sensitivity noise_reduction non_deterministic non_linear_quant non_pcm_mode nonref_p nssew
    num_capture_buffers num_output_buffers num_ticks_per_picture num_ticks_poc_diff_one numresolution obmc och ochl
    ocl offset oggpagesize oheadbw omit_video_pes_length omx_libname omx_libprefix operating_point oppoint
    optimize_mono opus_delay original osf osr out_channel_count out_channel_layout out_chlayout out_sample_fmt
    out_sample_rate output_sample_bits output_ts_offset overrun_nonfatal overscan_appropriate_flag overshoot-pct p
    p_mask p_strategy packet_loss packet_size packetsize pad page page_duration pagesize palette param0 param1
    paranoia_mode part partitions pass_types passlogfile passphrase password pat_period pattern_type payload_size
    payload_type pbkeylen pcr_period peak_block_size peak_format peak_ppv peerlatency per_frame_metadata
    pes_payload_size phase_shift pic_timing_sei pixel_format pkt_size plane_id playlist plays post_data postfilter
    pre_dia_size prebuf precision precmp pred prediction_order_method prefer_x_start preload preset
    print_deinit_summary private_key probesize profile prog prog_order protocol_blacklist protocol_opts
    protocol_whitelist ps psy psy-rd psymodel pts qblur qcomp qdiff qm qmax qmin qp qp_cb_offset qp_cr_offset
    qsquish quake3_compat quality quant_deadzone quant_mat quantizer_noise_shaping queue_size r rav1e-params
    raw_packet_size rc rc-lookahead rc_buf_aggressivity rc_eq rc_init_cplx rc_init_occupancy rc_lookahead
    rc_max_vbv_use rc_min_vbv_use rc_mode rc_qmod_amp rc_qmod_freq rcvbuf rcvlatency rdo read_ahead_limit real_time
    real_time_latency_msec reconnect reconnect_at_eof reconnect_delay_max reconnect_on_http_error
    reconnect_on_network_error reconnect_streamed recover_any_error recovery_point_sei recovery_wait_streamtime
    recovery_wait_time recv_buffer_size reduced-tx-type-set reference_stream referer refs region_border
    rematrix_maxval rematrix_volume remove remove_at_exit remove_types reorder_queue_size repeat_pps reply_code
    request_channel_layout request_sample_fmt resample_cutoff resampler reserve_index_space reservoir
    reset_timestamps resize resource restart_with_keyframe resync_size reuse reuse_socket rf64 rist_profile rle
    rmvol room_type rotate routing_key row-mt rtbufsize rtcp_port rtmp_app rtmp_buffer rtmp_conn rtmp_flashver
    rtmp_flush_interval rtmp_listen rtmp_live rtmp_pageurl rtmp_playpath rtmp_subscribe rtmp_swfhash rtmp_swfsize
    rtmp_swfurl rtmp_swfverify rtmp_tcurl rtp_flags rtp_muxer_options rtpflags rtsp_flags rtsp_transport rw_timeout
    s12m_tc safe sample_aspect_ratio sample_rate sample_size sar sbc_delay sc_detection sc_threshold scan_all_pmts
    scan_offset scplx_mask sdp_flags sdt_period secret seek2any seek_streams_individually seekable seg_duration
    seg_format_options segment_atclocktime segment_clocktime_offset segment_clocktime_wrap_duration segment_format
    segment_format_options segment_frames segment_header_filename segment_list segment_list_entry_prefix
    segment_list_flags segment_list_size segment_list_type segment_start_number segment_time segment_time_delta
    segment_time_metadata segment_times segment_wrap segment_wrap_number sei sei_user_data select_region
    send_buffer_size send_expect_100 seq seq_disp_ext serial_offset server sharpness short_seek_size show_region
    signal_standard silence_threshold single-slice-intra-refresh single_file single_file_name single_sei_nal_unit
    sixteen_color_thresh skip_alpha skip_bottom skip_cmp skip_cursor skip_empty_cb skip_estimate_duration_from_pts
    skip_exp skip_factor skip_frame skip_frame_thresh skip_idct skip_initial_bytes skip_iods skip_loop_filter
    skip_rate_check skip_threshold skip_top skip_unknown_pmt slev slice-max-size slice_height slice_width slicecrc
    slices smc-interval smoother sndbuf snddropdelay sop sources spatial-aq spatial_aq spdif_flags speed src_format
    src_h_chr_pos src_range src_v_chr_pos srch srcw srt_streamid srtp_in_params srtp_in_suite srtp_out_params
    srtp_out_suite ssim ssim_acc ssrc sta standard start start_number start_number_range start_one_color_thresh
    start_time start_time_realtime static-thresh stats stereo_rematrixing still-picture store_user_comments
    stream_name streamid streaming strftime strftime_mkdir strict strict-displaywin strict_gop strict_mime_boundary
    strip_number_adaptivity structured_slices sub_charenc sub_charenc_mode sub_name sub_text_format subcmp subfps
    subimage subq subsong surfaces surround_mix_level surround_mixlev svtav1-params swr_flags sws_dither sws_flags
    syncpoints tables_version target_latency target_level tcp_mss tcp_nodelay tcplx_mask td temporal-aq temporal_aq
    texture thread_type threads thumbnail tick_rate ticks_per_frame tier tile-columns tile-rows tile_cols
    tile_columns tile_height tile_rows tile_width tiles tilethreads time_base time_shift_buffer_depth
    timecode_frame_start timeout timeshift timestamps tlpktdrop tls tls_verify tolerance top track_index trans_color
    transfer_characteristics transform_skip transtype trellis truncate ts ts-parameters ts_from_file ts_packetsize
    tsbpd tsbpddelay tsf ttl tune tune-content txt_chop_spaces txt_chop_top txt_default_region txt_duration
    txt_format txt_left txt_opacity txt_page txt_top txt_transparent type uch udplite_coverage udu_sei umv
    undershoot-pct update update_period usage use-inter-dct-only use-intra-dct-only use-intra-default-tx-only
    use_absolute_path use_buggy_lpc use_editlist use_fifo use_libv4l2 use_mfra_for use_odml
    use_stream_ids_as_track_ids use_template use_tfdt use_timeline use_wallclock_as_timestamps used_channel_count
    user_agent usetoc utc_timing_url vad var_stream_map variance_aq vbr vendor verbosity verifyhost version_major
    version_minor video_format video_full_range_flag video_size video_track_timescale vp8flags wallclock
    wavelet_depth wavelet_type weightb weighted_pred weightp width window_borderless window_enable_quit
    window_fullscreen window_id window_size window_title window_x window_y wpredp write_apetag write_bext write_btrt
    write_channel_mask write_crc32 write_empty_segments write_header write_header_ret write_header_trailer
    write_id3v1 write_id3v2 write_index write_mpeg2 write_peak write_prft write_tmcd write_to_source
    write_trailer_ret write_xing x x264-params x264_build x264opts x265-params xoffset y yoffset
    zero_new_constraint_set_flags zerocopy zerolatency
"""

PROBE_VALUES: Final = """
    cpucount cpuflags f i loglevel max_alloc o of print_filename print_format read_intervals select_streams
    show_data_hash show_entries show_log show_optional_fields v
"""

PROBE_FLAGS: Final = """
    bitexact byte_binary_prefix count_frames count_packets find_stream_info hide_banner prefix pretty private report
    sexagesimal show_chapters show_data show_error show_format show_frames show_library_versions show_packets
    show_pixel_formats show_private_data show_program_version show_programs show_streams show_versions unit
"""

PROBE_QUESTIONS: Final = """
    -help ? L bsfs buildconf codecs colors decoders demuxers devices dispositions encoders filters formats h help
    layouts muxers pix_fmts protocols sample_fmts sections sinks sources version
"""

PROBE_WHOLE: Final = """

"""

PROBE_SETTINGS: Final = """
    aa_fixed_key ac activation_bytes advanced_editlist alllayers allowed_extensions allowed_media_types
    allowed_segment_extensions analyzeduration angle apply_cropping apply_defdispwin apply_phase_inv apply_trc ar
    assetmaps async_depth audible_fixed_key audible_iv audible_key auth_type auto_convert avioflags bandwidth
    bit_rate bits_per_codeword blank_value block buffer_size bug ca_file cafile cenc_decryption_key cert_file
    ch_layout change_field_order channel channel_layout channel_order channels chapter chars_per_frame
    chroma_sample_location code_size codec_whitelist color_primaries color_range color_trc colorspace compute_clut
    compute_edt compute_pcr connect connect_timeout connection_timeout cons_noisegen content_type cookies core_only
    correct_ts_overflow crop crtc_id cryptokey custom_stride data_field debug decryption_iv decryption_key
    default_delay default_fps deint device discard_damaged_percentage downmix draw_mouse drc_scale drop_second_field
    dscp dual_mono_mode dump_separator dumpgraph dvb_substream dvbuffer dvguid dvtype ec eia608_extract enable_drefs
    enable_er encryption end end_offset enforced_encryption err_detect exchange export_all export_path_metadata
    export_side_data export_xmp extension_picky extern_huff extra_bits_bug extra_hw_frames f_err_detect f_strict
    fdebug fflags ffrtmphttp_tls ffs field_order fifo_size filmgrain fix_teletext_pts flags flags2 flv_full_metadata
    flv_ignore_prevtag flv_metadata follow follow_mouse forced_subs_only format format_modifier format_whitelist
    formatprobesize fpsprobesize fragment_size frame_rate frame_size framerate frames_per_packet framethreads
    ftp-anonymous-password ftp-password ftp-user gamma gateway gpu gpu_copy grab_x grab_y graph graph_file headers
    heavy_compr height http_multiple http_persistent http_proxy http_seekable hwaccel_flags icy idct ifo_palette
    ignore_chapters ignore_editlist ignore_length ignore_loop indexmem initial_pause input_format inputbw iptos
    ipttl is_avc iv keep_ar keep_ass_markup key key_file kind kmpreannounce kmrefreshrate latency layer layout
    linespeed linger list_devices list_formats list_standards listen listen_timeout live live_start_index
    load_plugin load_plugins local_port local_rtcpport local_rtpport localaddr localport location log_level loop
    lossmaxttl lowqual lowres m3u8_hold_counters max_delay max_file_size max_fps max_gif_delay max_packet_size
    max_pixels max_port max_probe_packets max_redirects max_reload max_samples max_size max_streams max_stts_delta
    max_ts_probe maxbw merge_pmt_versions messageapi method min_delay min_port minversion missing_streams mode mss
    multiple_requests nakreport nal_length_size name no_resync_search non_pcm_mode num_capture_buffers
    num_output_buffers offset oheadbw omx_libname omx_libprefix operating_point oppoint overrun_nonfatal page
    palette paranoia_mode part passphrase password pattern_type payload_size pbkeylen peerlatency pixel_format
    pkt_size plane_id playlist post_data postfilter prefer_x_start private_key probesize protocol_blacklist
    protocol_whitelist raw_packet_size rcvbuf rcvlatency read_ahead_limit real_time real_time_latency_msec reconnect
    reconnect_at_eof reconnect_delay_max reconnect_on_http_error reconnect_on_network_error reconnect_streamed
    recv_buffer_size referer region_border reorder_queue_size request_channel_layout request_sample_fmt resize
    resync_size reuse reuse_socket rist_profile routing_key rtbufsize rtcp_port rtmp_app rtmp_buffer rtmp_conn
    rtmp_flashver rtmp_listen rtmp_live rtmp_pageurl rtmp_playpath rtmp_subscribe rtmp_swfhash rtmp_swfsize
    rtmp_swfurl rtmp_swfverify rtmp_tcurl rtp_flags rtsp_flags rtsp_transport rw_timeout safe sample_rate
    sample_size scan_all_pmts sdp_flags secret seek2any seek_streams_individually seekable seg_format_options
    segment_time_metadata select_region send_buffer_size server short_seek_size show_region skip_alpha skip_bottom
    skip_cursor skip_estimate_duration_from_pts skip_frame skip_idct skip_initial_bytes skip_loop_filter skip_top
    skip_unknown_pmt smoother sndbuf snddropdelay sources speed srt_streamid srtp_in_params srtp_in_suite standard
    start start_number start_number_range start_time stream_name streamid strict strict-displaywin
    strict_mime_boundary sub_charenc sub_charenc_mode sub_name sub_text_format subfps subimage subsong surfaces
    target_level tcp_mss tcp_nodelay thread_type threads thumbnail ticks_per_frame tilethreads timeout timestamps
    tlpktdrop tls_verify top track_index trans_color transtype ts ts_from_file ts_packetsize tsbpd tsbpddelay ttl
    txt_chop_spaces txt_chop_top txt_default_region txt_duration txt_format txt_left txt_opacity txt_page txt_top
    txt_transparent type udplite_coverage use_absolute_path use_buggy_lpc use_libv4l2 use_mfra_for use_odml use_tfdt
    use_wallclock_as_timestamps user_agent usetoc verifyhost video_size wallclock width window_id write_to_source x
    x264_build y
"""
